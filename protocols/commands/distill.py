"""``piaa distill``: a small network taught by any generic model, on photos without labels."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from piaa.commands.options import AsJson, CacheOption, NoCache, cache_folder
from piaa.commands.progress import progress_bar, read_photos, stopping
from piaa.commands.terminal import reporting
from protocols.commands import training as t

if TYPE_CHECKING:
    from generic.pretrain.distill import Lesson
    from generic.pretrain.photos import Photos


@reporting
def distill(
    teacher: Annotated[str, typer.Option(help="A model file, or an embedded model's name.")],
    images: Annotated[Path, typer.Option(help="A folder of photos, with or without labels.")],
    preset: t.PresetName,
    out: t.RunFolder,
    start: t.StartWeights = None,
    config: t.ConfigFile = None,
    name: t.ModelName = None,
    size: t.Size = None,
    epochs: t.Epochs = None,
    batch: t.Batch = None,
    micro_batch: t.MicroBatch = None,
    rate: t.Rate = None,
    precision: t.PrecisionName = None,
    workers: t.Workers = None,
    save_every: t.SaveEvery = None,
    seed: t.SeedOption = None,
    cache: CacheOption = None,
    no_cache: NoCache = False,
    as_json: AsJson = False,
) -> None:
    """Teach a small network the scores and the embedding of a larger one."""
    from generic.cache.features import FeatureCache
    from generic.model.generic_model import GenericModel
    from generic.model.registry import find_model
    from generic.photos.find import find_images
    from generic.pretrain.distill import ask
    from generic.pretrain.job import Job
    from generic.pretrain.processes import by_the_first

    chosen = t.resolve(
        preset,
        config,
        size=size,
        freeze=None,
        loss="mse",
        epochs=epochs,
        batch=batch,
        micro_batch=micro_batch,
        rate=rate,
        precision=precision,
        workers=workers,
        save_every=save_every,
        seed=seed,
    )
    model = GenericModel(find_model(teacher))
    paths = find_images(images)
    remembered = cache_folder(cache, no_cache)

    def lesson_of() -> Lesson:
        with (
            stopping(read_photos(remembered=remembered is not None)),
            FeatureCache.open(remembered) as known,
            progress_bar("asking the teacher", len(paths)) as bar,
        ):
            return ask(model, paths, images, cache=known, progress=bar)

    lesson = by_the_first(lesson_of)
    train, validation = _halves(lesson.photos)
    job = Job(
        name=name or out.name,
        preset=preset,
        network=chosen.network,
        settings=chosen.settings,
        start=start,
        data=f"scores and embeddings of {model.name} {model.hash[:8]}",
        details={"teacher": model.hash, "teacher history": model.header.training.get("history", [])},
        fingerprint=_fingerprint(lesson.photos),
        train=train,
        validation=validation,
        scale=model.header.scale,
        threshold=0.5,
        extra=lesson.n_directions,
    )
    t.train(job, out, skipped=lesson.skipped, as_json=as_json)


def _halves(photos: Photos) -> tuple[Photos, Photos]:
    """Nine of ten to learn from, one of ten to choose the epoch by: by the hash of their names."""
    names = [name.encode("utf-8", "surrogatepass") for name in photos.names]
    order = sorted(range(len(photos)), key=lambda row: hashlib.sha256(names[row]).digest())
    n = max(2, len(photos) // 10)
    return photos.take(sorted(order[n:])), photos.take(sorted(order[:n]))


def _fingerprint(photos: Photos) -> str:
    digest = hashlib.sha256(json.dumps(list(photos.names)).encode())
    digest.update(photos.targets.scores.numpy().tobytes())
    return digest.hexdigest()


def add_to(app: typer.Typer) -> None:
    """Put the command into the command line."""
    example = "Example: piaa distill --teacher piaa-lite --images photos/ --preset eat_lite --out runs/small"
    app.command("distill", epilog=example)(distill)
