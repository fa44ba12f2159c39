"""One training from beginning to end: network, start weights, loop, model file, one look at a test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from generic.model.checkpoint import NETWORK, Header, load_checkpoint, read_header, save_checkpoint
from generic.pretrain.config import NetworkSpec, Settings
from generic.pretrain.export import Provenance, write_model
from generic.pretrain.feasible import check_feasible
from generic.pretrain.loop import Listeners, Row, Trainer
from generic.pretrain.photos import Photos
from generic.pretrain.processes import make_accelerator
from generic.pretrain.start import HUB, RANDOM, Start, load_start
from generic.pretrain.trained_network import Trainee, build_network
from generic.pretrain.training_folder import BEST, TrainingFolder, device_name
from generic.progress import Progress, no_progress

Bar = Callable[[str, int], AbstractContextManager[Progress]]
"""``bar(label, total)`` shows how far something is."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is trained on what."""

    name: str
    """The model's name."""
    preset: str
    """In words, for the header."""
    network: NetworkSpec
    settings: Settings
    start: str | None
    """See :func:`generic.pretrain.start.load_start`; None: random weights."""
    data: str
    """In words, for the header."""
    details: Mapping[str, Any]
    """More of the data, for the header."""
    fingerprint: str
    """SHA-256 over names and targets."""
    train: Photos
    validation: Photos
    test: Photos | None = None
    bins: tuple[float, ...] = ()
    """Score of each output; empty for one output."""
    scale: tuple[float, float]
    """Scores that unit scores 0 and 1 stand for."""
    threshold: float
    """Unit score above which a photo counts as good."""
    extra: int = 0
    """See :class:`generic.pretrain.trained_network.Trainee`."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a training came to."""

    model: Path
    """The model file."""
    header: Header
    history: list[Row]
    """One row an epoch."""
    best_epoch: int
    """Counted from 1."""
    test: dict[str, float]
    """Figures on the test photos; empty without any."""
    unreadable: dict[str, str]
    """Photos that could not be read, and why."""
    first: bool = field(default=True)
    """False on all processes but the first, which have nothing to print."""

    def facts(self) -> dict[str, Any]:
        """Plain values for JSON; what is undefined is None."""
        best = next((row for row in self.history if row["epoch"] == self.best_epoch), {})
        return {
            "model": str(self.model),
            "hash": self.header.hash,
            "best_epoch": self.best_epoch,
            "validation": _finite(best),
            "test": _finite(self.test),
            "history": [_finite(row) for row in self.history],
            "unreadable": self.unreadable,
        }


def _finite(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: None if value != value else value for key, value in row.items()}


def run_job(
    job: Job, out: Path, *, bar: Bar, tell: Callable[[str], None], on_epoch: Callable[[Row], None]
) -> Outcome:
    """Train; in a folder that holds the same run, go on with it.

    Args:
        job: what.
        out: the run's folder, see :mod:`generic.pretrain.training_folder`.
        bar: shows how far something is.
        tell: a line for the person.
        on_epoch: called after each validation.

    Raises:
        TrainingError: the training cannot be done as asked, or went wrong.
        CheckpointError: start weights that cannot be had or do not fit.
        OutputError: the folder cannot be written.
    """
    accelerator = make_accelerator(job.settings)
    first = accelerator.is_main_process
    if first:
        tell(f"trains on {_where(accelerator)}")
    trainee = build_network(
        job.network,
        bins=job.bins,
        softmax=job.settings.softmax,
        extra=job.extra,
        seed=job.settings.seed,
        hub=job.start == HUB,
    )
    begun = RANDOM if job.start is None else load_start(trainee, job.start)
    if first:
        _tell_start(begun, tell)
    n_processes = accelerator.num_processes
    check_feasible(trainee.network, job.settings, len(job.train), n_processes=n_processes)
    with closing(TrainingFolder(out, _config(job, begun), write=first)) as folder:
        return _train(
            job, trainee, begun, folder, accelerator, bar=bar if first else _no_bar, on_epoch=on_epoch
        )


def _no_bar(label: str, total: int) -> AbstractContextManager[Progress]:  # noqa: ARG001 - a Bar
    """What processes show that are not the first."""
    return nullcontext(no_progress)


def _where(accelerator: Accelerator) -> str:
    """Device and number of processes in words: a launcher that started fewer than asked for is seen."""
    n = accelerator.num_processes
    return f"{device_name()}, {n} process{'es' if n > 1 else ''}"


def _train(
    job: Job,
    trainee: Trainee,
    begun: Start,
    folder: TrainingFolder,
    accelerator: Accelerator,
    *,
    bar: Bar,
    on_epoch: Callable[[Row], None],
) -> Outcome:
    first, best = accelerator.is_main_process, folder.path / BEST
    images, validation = dict[str, str](), dict[str, str]()
    if first:
        with bar("reading photos", len(job.train) + len(job.validation)) as progress:
            images, validation = job.train.hashes(progress), job.validation.hashes(progress)
    provenance = _provenance(job, begun, images | validation, validation)

    def write(network: nn.Module, row: Row) -> None:
        write_model(best, trainee, network, provenance, {"validation": _finite(row)})

    batch = job.settings.batch
    with bar("training", job.settings.epochs * (len(job.train) // batch) * batch) as progress:
        trainer = Trainer(
            trainee,
            job.settings,
            job.train,
            job.validation,
            threshold=job.threshold,
            folder=folder,
            accelerator=accelerator,
            listeners=Listeners(progress=progress, epoch=on_epoch, best=write),
        )
        done = trainer.run()
    tested = {} if job.test is None else _test(trainer, job.test, best)
    header = read_header(best)
    if first and tested:
        header = _add_figures(best, tested)
    accelerator.wait_for_everyone()
    outcome = Outcome(
        model=best,
        header=header,
        history=done.history,
        best_epoch=done.best_epoch,
        test=tested,
        unreadable=done.unreadable,
        first=first,
    )
    if first:
        folder.write_result(outcome.facts())
    return outcome


def _config(job: Job, begun: Start) -> dict[str, Any]:
    """Everything that the weights depend on."""
    return {
        "preset": job.preset,
        "network": asdict(job.network),
        "settings": asdict(job.settings),
        "start": {"what": begun.what, "sha256": begun.sha256},
        "data": {"what": job.data, "train": len(job.train), "sha256": job.fingerprint},
        "bins": list(job.bins),
        "scale": list(job.scale),
    }


def _tell_start(begun: Start, tell: Callable[[str], None]) -> None:
    if begun is not RANDOM:
        tell(
            f"start: {begun.what}; tensors: {begun.taken} taken, {len(begun.fresh)} fresh, "
            f"{len(begun.left_out)} left out"
        )


def _provenance(
    job: Job, begun: Start, images: Mapping[str, str], validation: Mapping[str, str]
) -> Provenance:
    return Provenance(
        name=job.name,
        data=job.data,
        preset=job.preset,
        scale=job.scale,
        start=begun,
        settings=job.settings,
        n_train=len(job.train),
        n_validation=len(job.validation),
        details=job.details,
        images=images,
        validation=validation,
    )


def _test(trainer: Trainer, photos: Photos, file: Path) -> dict[str, float]:
    """Figures of the chosen epoch, from its file, on photos that nothing was chosen by."""
    trainer.accelerator.wait_for_everyone()
    trainee: Trainee = trainer.trainee
    _, tensors = load_checkpoint(file)
    ours = {key: value for key, value in tensors.items() if key.startswith(NETWORK)}
    trainee.network.load_state_dict(
        {key.removeprefix(NETWORK): torch.from_numpy(value) for key, value in ours.items()}
    )
    n_before = len(trainer.done.unreadable)
    figures = trainer.figures(trainee.network, photos)
    n = len(photos) - (len(trainer.done.unreadable) - n_before)
    return {"n": float(n), **figures}


def _add_figures(file: Path, tested: Mapping[str, Any]) -> Header:
    """Write the test's figures into the header; the model's hash does not change."""
    header, tensors = load_checkpoint(file)
    figures = {**header.figures, "test": _finite(tested)}
    return save_checkpoint(file, replace(header, figures=figures), tensors)
