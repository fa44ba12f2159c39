"""``piaa pretrain``: train a generic model on a dataset of rated photos."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from generic.words import counted
from piaa.commands.options import AsJson
from piaa.commands.terminal import reporting
from protocols.commands import options
from protocols.commands import training as t

if TYPE_CHECKING:
    from generic.pretrain.job import Job
    from generic.pretrain.presets import Preset
    from protocols.commands.learn_prior import AddPrior
    from protocols.datasets.dataset import Dataset
    from protocols.training.pretrain_data import TrainingData


@reporting
def pretrain(
    context: typer.Context,
    dataset: Annotated[
        str,
        typer.Option(
            help="ava, ava1, ava2, flickr-aes, tad66k, aadb, para, or your own: table or histograms."
        ),
    ],
    preset: t.PresetName,
    out: t.RunFolder,
    root: options.LabelRoot = None,
    images: options.Images = None,
    shards: Annotated[
        Path | None, typer.Option(help="Read photos from shards of `piaa data pack` instead.")
    ] = None,
    ratings: options.RatingsFile = None,
    users: options.Users = None,
    scale: options.ScaleEnds = None,
    duplicates: options.DuplicatesChoice = None,
    min_raters: options.MinRaters = None,
    train: options.TrainList = None,
    test: options.TestList = None,
    split: options.SplitFile = None,
    validation_share: Annotated[
        float, typer.Option(help="Of the training images, to choose the epoch by.")
    ] = 0.05,
    threshold: options.Threshold = None,
    loss: Annotated[
        str | None,
        typer.Option(
            help="emd, mse, emd+mse or official-emd; default: the preset's, or mse where no distributions "
            "are published."
        ),
    ] = None,
    start: t.StartWeights = None,
    config: t.ConfigFile = None,
    name: t.ModelName = None,
    size: t.Size = None,
    epochs: t.Epochs = None,
    batch: t.Batch = None,
    micro_batch: t.MicroBatch = None,
    rate: t.Rate = None,
    schedule: t.Schedule = None,
    layer_decay: t.LayerDecay = None,
    stem_rate: t.StemRate = None,
    freeze: t.Freeze = None,
    ema: t.Ema = None,
    precision: t.PrecisionName = None,
    grad_checkpointing: t.GradCheckpointing = None,
    fit: t.FitName = None,
    flip: t.Flip = None,
    crop: t.Crop = None,
    workers: t.Workers = None,
    save_every: t.SaveEvery = None,
    seed: t.SeedOption = None,
    as_json: AsJson = False,
) -> None:
    """Train a generic model; the same command goes on with a run that was stopped."""
    from protocols.commands.learn_prior import after_pretraining
    from protocols.splits.split import read_split
    from protocols.training.pretrain_data import own_split, training_data

    chosen = t.resolve(
        preset,
        config,
        size=size,
        freeze=freeze,
        loss=loss,
        epochs=epochs,
        batch=batch,
        micro_batch=micro_batch,
        rate=rate,
        schedule=schedule,
        layer_decay=layer_decay,
        stem_rate=stem_rate,
        ema=ema,
        precision=precision,
        grad_checkpointing=grad_checkpointing,
        fit=fit,
        flip=flip,
        crop=crop,
        workers=workers,
        save_every=save_every,
        seed=seed,
    )
    opened = options.open_dataset(
        dataset,
        root,
        images=images,
        ratings=ratings,
        users=users,
        scale=scale,
        duplicates=duplicates,
        min_raters=min_raters,
        train=train,
        test=test,
    )
    asked = loss is not None or t.names_loss(config)
    if not asked and chosen.settings.has_bins and not opened.counts:
        chosen = _on_means(chosen)
        t.tell(f"{opened.name} publishes no distributions: --loss mse")
    side = own_split(opened) if split is None else read_split(split)
    data = training_data(
        opened,
        split=side,
        shards=shards,
        with_shares=chosen.settings.has_bins,
        target_scale=chosen.target_scale,
        validation_share=validation_share,
        threshold=threshold,
    )
    t.tell(
        f"{counted(len(data.train), 'photo')} to train on, {len(data.validation):,} to choose the epoch by, "
        f"{len(data.test or ()):,} to test on. {data.rule} "
        f"Accuracy: which photos are above {data.threshold_score:g}."
    )
    t.train(
        _job(chosen, preset, opened, data, start=start, name=name or out.name),
        out,
        skipped=data.missing,
        as_json=as_json,
        after=lambda file: after_pretraining(context.obj, file, opened, side),
    )


def _on_means(preset: Preset) -> Preset:
    from dataclasses import replace

    return replace(preset, settings=replace(preset.settings, loss="mse"))


def _job(
    preset: Preset, words: str, dataset: Dataset, data: TrainingData, *, start: str | None, name: str
) -> Job:
    from generic.pretrain.job import Job

    details: dict[str, Any] = {
        "dataset": dataset.name,
        "rule": data.rule,
        "accuracy is of scores above": data.threshold_score,
        "notes": list(dataset.notes),
        "without a file": len(data.missing),
    }
    return Job(
        name=name,
        preset=words,
        network=preset.network,
        settings=preset.settings,
        start=start,
        # A reduced photo has other pixels: the run is another one, and the model file says so.
        data=dataset.name if data.side is None else f"{dataset.name} packed to {data.side} pixels",
        details=details,
        fingerprint=data.fingerprint(),
        train=data.train,
        validation=data.validation,
        test=data.test,
        bins=data.bins,
        scale=data.target_scale,
        threshold=data.threshold,
    )


def add_to(app: typer.Typer, add_prior: AddPrior) -> None:
    """Put the command into the command line.

    Args:
        app: where.
        add_prior: how a prior is learned and written.
    """
    example = "Example: piaa pretrain --dataset tad66k --root DIR --preset eat_base --start timm --out runs/a"
    app.command("pretrain", epilog=example, context_settings={"obj": add_prior})(pretrain)
