"""The training loop: one process or many, stopped at any step and gone on with to the same weights.

Every random number is a function of the seed and the step, so that a run which was killed repeats the steps
since its last saved state exactly; on a CPU, to the bit.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from timm.utils.model_ema import ModelEmaV3
from torch import Tensor, nn

from generic.eat.points import set_progress
from generic.errors import TrainingError
from generic.pretrain.batches import MicroBatch, PhotoReader, Plan, loader
from generic.pretrain.config import Settings
from generic.pretrain.feasible import recompute_activations
from generic.pretrain.measure import measure
from generic.pretrain.objective import loss_of
from generic.pretrain.photos import Photos
from generic.pretrain.predict import outputs_of
from generic.pretrain.schedule import (
    freeze,
    frozen_share,
    make_optimiser,
    mean_decay,
    rate_factor,
    set_rate,
)
from generic.pretrain.state import Progressed, load_state, save_state
from generic.pretrain.trained_network import Trainee
from generic.pretrain.training_folder import STATE, TrainingFolder
from generic.progress import Progress
from generic.seeds import stream

log = logging.getLogger(__name__)
Row = dict[str, Any]
"""One epoch: ``epoch``, ``step``, ``rate``, ``loss``, the figures of validation, ``photos_per_s``."""

_CHECK_EVERY = 20
"""Steps between two looks at the losses: a look makes a GPU stop and wait."""


@dataclass(frozen=True, kw_only=True)
class Listeners:
    """Whom the loop tells what; called on the first process only."""

    progress: Progress
    """With the number of photos newly trained on, those of an earlier start included."""
    epoch: Callable[[Row], None]
    """After each validation."""
    best: Callable[[nn.Module, Row], None]
    """With the network, in evaluation mode, of an epoch that is better than all before it."""


class Trainer:
    """Trains a network on photos and chooses the epoch that is best on others.

    Args:
        trainee: the network, with its start weights.
        settings: how.
        train: photos to learn from.
        validation: photos to choose the epoch by; none of them in ``train``.
        threshold: unit score above which an image counts as good.
        folder: the run's.
        accelerator: see :func:`generic.pretrain.processes.make_accelerator`.
        listeners: whom to tell.

    Raises:
        TrainingError: photos, settings and network do not fit each other, or a saved state is damaged.
    """

    def __init__(
        self,
        trainee: Trainee,
        settings: Settings,
        train: Photos,
        validation: Photos,
        *,
        threshold: float,
        folder: TrainingFolder,
        accelerator: Accelerator,
        listeners: Listeners,
    ) -> None:
        self.trainee, self.settings, self.threshold = trainee, settings, threshold
        self.train, self.validation = train, validation
        self.folder, self.accelerator, self.listeners = folder, accelerator, listeners
        self.plan = Plan(
            len(train),
            settings,
            process=accelerator.process_index,
            n_processes=accelerator.num_processes,
        )
        self.network = trainee.network.to(accelerator.device)
        if settings.grad_checkpointing:
            recompute_activations(self.network)
        self.optimiser = accelerator.prepare_optimizer(make_optimiser(self.network, settings))
        self.ema = ModelEmaV3(self.network, decay=settings.ema) if settings.ema else None
        self.bins = torch.tensor(trainee.bins, device=accelerator.device)
        self.targets = train.targets.to(accelerator.device)
        self.done = self._resume()

    @property
    def steps_per_epoch(self) -> int:
        """Steps of the optimiser in one epoch."""
        return self.plan.steps_per_epoch

    def _networks(self) -> dict[str, nn.Module]:
        return {"network": self.network} | ({"ema": self.ema.module} if self.ema else {})

    def _resume(self) -> Progressed:
        path = self.folder.path / STATE
        if not path.exists():
            return Progressed()
        done = load_state(path, self._networks(), self.optimiser.optimizer)
        if self.accelerator.scaler is not None and done.scaler:
            self.accelerator.scaler.load_state_dict(done.scaler)
        log.info("going on after step %d of %d", done.step, self.plan.n_steps)
        return done

    def run(self) -> Progressed:
        """Train to the end; how far the run is then, with its history.

        Raises:
            TrainingError: a loss that is not finite, not one photo that can be read, or too little memory on
                the device.
            OutputError: the run folder cannot be written, such as for a full disk; the last state is kept.
        """
        self.plan.first_step = self.done.step
        self._tell(self.done.step)
        self.board = self.folder.tensorboard(self.done.step)
        reader = PhotoReader(self.train, self.trainee.size, self.settings)
        pin = self.accelerator.device.type == "cuda"
        passes = iter(loader(reader, self.plan, workers=self.settings.workers, pin=pin))
        # The generators of all devices are seeded anew for each pass, and given back as they were.
        with torch.random.fork_rng():
            while self.done.step < self.plan.n_steps:
                try:
                    self._epoch(passes)
                except torch.OutOfMemoryError as error:
                    raise TrainingError(
                        f"the device's memory is too small for passes of {self.plan.micro} photos; what was "
                        f"saved before is kept. To do: give a smaller --micro-batch, or "
                        f"--grad-checkpointing; where a state is saved already, in another folder"
                    ) from error
        if self.board is not None:
            self.board.close()
        return self.done

    # ---- one epoch ----

    def _epoch(self, passes: Iterator[MicroBatch]) -> None:
        epoch = self.done.step // self.steps_per_epoch
        set_progress(self.network, epoch / self.settings.epochs)
        self.network.train()
        freeze(self.network, frozen_share(self.settings, epoch))
        model = self._parallel()
        started, first = time.perf_counter(), self.done.step
        losses: list[Tensor] = []
        rate = 0.0
        while self.done.step < (epoch + 1) * self.steps_per_epoch:
            rate = self._rate(self.done.step)
            set_rate(self.optimiser, rate)
            losses.append(self._step(model, passes))
            self.done.step += 1
            self._tell(1)
            saving = self.done.step % self.settings.save_every == 0
            if saving or len(losses) == _CHECK_EVERY or self.done.step % self.steps_per_epoch == 0:
                self._count(losses)
            if saving and self.done.step % self.steps_per_epoch:
                self._save()
        speed = (self.done.step - first) * self.settings.batch / (time.perf_counter() - started)
        self._finish_epoch(epoch, rate, speed)

    def _parallel(self) -> nn.Module:
        """The network as it is called: itself, or wrapped for several processes."""
        if self.accelerator.num_processes == 1 or not any(p.requires_grad for p in self.network.parameters()):
            return self.network
        wrapped: nn.Module = torch.nn.parallel.DistributedDataParallel(
            self.network,
            device_ids=[self.accelerator.device] if self.accelerator.device.type == "cuda" else None,
        )
        return wrapped

    def _step(self, model: nn.Module, passes: Iterator[MicroBatch]) -> Tensor:
        """One step of the optimiser; the mean loss of its photos on this process."""
        total = torch.zeros((), device=self.accelerator.device)
        for number in range(self.plan.passes):
            last = number == self.plan.passes - 1
            with _quiet(model, quiet=not last):
                loss = self._pass(model, next(passes), number)
                # Gradients are averaged over processes; each pass counts by its share of the batch.
                self.accelerator.backward(loss / self.plan.passes)
            total += loss.detach() / self.plan.passes
        if self.settings.clip:
            if self.accelerator.scaler is not None:
                self.accelerator.unscale_gradients(self.optimiser)
            nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip)
        self.optimiser.step()
        self.optimiser.zero_grad()
        if self.ema is not None:
            self.ema.decay = mean_decay(self.settings.ema, self.done.step)
            self.ema.update(self.network)
        return total

    def _pass(self, model: nn.Module, batch: MicroBatch, number: int) -> Tensor:
        device = self.accelerator.device
        self._note_unreadable(batch)
        names = ("pretrain", "pass", self.done.step, number, self.accelerator.process_index)
        torch.manual_seed(int(stream(self.settings.seed, *names).integers(2**31)))
        pixels = batch.pixels.to(device, non_blocking=True)
        rows = batch.rows.to(device, non_blocking=True)
        with self.accelerator.autocast():
            raw = model(self.trainee.normalise(pixels))
        outputs: Tensor = raw.float()
        targets = self.targets.take(rows)
        if batch.errors:
            keep = batch.readable.to(device)
            if not batch.readable.any():
                return outputs.sum() * 0
            outputs, targets = outputs[keep], targets.take(keep)
        loss = loss_of(outputs, targets, self.bins, self.settings.loss)
        whole: Tensor = loss * (len(outputs) / len(batch.rows))
        return whole

    def _note_unreadable(self, batch: MicroBatch) -> None:
        for row, error in batch.errors.items():
            name = self.train.names[row]
            if name not in self.done.unreadable:
                self.done.unreadable[name] = error
                log.info("left out: %s", error)

    def _rate(self, step: int) -> float:
        return self.settings.rate * rate_factor(self.settings, step, self.steps_per_epoch)

    def _count(self, losses: list[Tensor]) -> None:
        """Add up the losses of the last steps, of all processes; stop at one that is not finite."""
        values = self.accelerator.reduce(torch.stack(losses), reduction="mean").tolist()
        for place, value in enumerate(values):
            if not math.isfinite(value):
                step = self.done.step - len(values) + place + 1
                epoch = (step - 1) // self.steps_per_epoch + 1
                other = "" if self.settings.precision == "fp32" else " or --precision fp32"
                raise TrainingError(
                    f"the loss of step {step} (epoch {epoch}) is {value}, at a learning rate of "
                    f"{self._rate(step - 1):.3g}; what was saved before is kept. To do: begin "
                    f"again in another folder with a lower --rate{other}"
                )
        self.done.loss_sum += sum(values)
        losses.clear()

    def _finish_epoch(self, epoch: int, rate: float, speed: float) -> None:
        judged = self.ema.module if self.ema else self.network
        figures = self.figures(judged, self.validation)
        row: Row = {
            "epoch": epoch + 1,
            "step": self.done.step,
            "rate": rate,
            "loss": self.done.loss_sum / self.steps_per_epoch,
            **figures,
        }
        better = not math.isnan(figures["srcc"]) and (
            self.done.best is None or figures["srcc"] > self.done.best
        )
        if better:
            self.done.best, self.done.best_epoch = figures["srcc"], epoch + 1
        self.done.history.append(row)
        self.done.loss_sum = 0.0
        for theirs in gather_object([self.done.unreadable]):
            self.done.unreadable |= theirs
        if self.accelerator.is_main_process:
            if better or self.done.best is None:
                self.listeners.best(judged.eval(), row)
            self.folder.write_history(self.done.history)
            self._log(row, speed)
            self.listeners.epoch({**row, "photos_per_s": speed})
        self._save()

    def _log(self, row: Row, speed: float) -> None:
        if self.board is not None:
            for name, value in {**row, "photos_per_s": speed}.items():
                self.board.add_scalar(name, value, row["step"])
            self.board.flush()

    def _save(self) -> None:
        """Keep what the run goes on from; written by the first process while the others wait."""
        if self.accelerator.is_main_process:
            if self.accelerator.scaler is not None:
                self.done.scaler = self.accelerator.scaler.state_dict()
            path = self.folder.path / STATE
            save_state(path, self.done, self._networks(), self.optimiser.optimizer)
        self.accelerator.wait_for_everyone()

    def _tell(self, steps: int) -> None:
        if self.accelerator.is_main_process:
            self.listeners.progress(steps * self.settings.batch)

    def figures(self, network: nn.Module, photos: Photos) -> dict[str, float]:
        """Figures on photos, by all processes together; see :func:`generic.pretrain.measure.measure`.

        Raises:
            TrainingError: not one photo can be read.
        """
        outputs, errors = outputs_of(
            self.trainee, network, photos, self.settings, accelerator=self.accelerator, micro=self.plan.micro
        )
        self.done.unreadable |= {photos.names[row]: error for row, error in errors.items()}
        readable = ~np.isnan(outputs[:, 0])
        return measure(
            outputs[readable],
            photos.targets.take(torch.from_numpy(np.flatnonzero(readable))),
            bins=self.trainee.bins,
            softmax=self.trainee.softmax,
            threshold=self.threshold,
        )


def _quiet(model: nn.Module, *, quiet: bool) -> AbstractContextManager[Any]:
    """Processes exchange gradients in the last pass of a step only."""
    if quiet and isinstance(model, nn.parallel.DistributedDataParallel):
        return model.no_sync()
    return nullcontext()
