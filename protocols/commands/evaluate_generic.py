"""``piaa evaluate-generic``: how well generic models predict ratings of photos that they have not seen."""

from __future__ import annotations

from typing import Annotated

import typer

from piaa.commands.options import AsJson, MaxPixels
from piaa.commands.progress import AGAIN, progress_bar, stopping
from piaa.commands.terminal import note, print_json, report_skipped, reporting
from protocols.commands import options


@reporting
def evaluate_generic(
    dataset: Annotated[str, typer.Option(help="As for `piaa pretrain`.")],
    model: Annotated[
        list[str], typer.Option("--model", help="An embedded model's name or a model file; may be repeated.")
    ],
    root: options.LabelRoot = None,
    images: options.Images = None,
    ratings: options.RatingsFile = None,
    users: options.Users = None,
    scale: options.ScaleEnds = None,
    duplicates: options.DuplicatesChoice = None,
    min_raters: options.MinRaters = None,
    train: options.TrainList = None,
    test: options.TestList = None,
    split: options.SplitFile = None,
    threshold: options.Threshold = None,
    max_pixels: MaxPixels = None,
    as_json: AsJson = False,
) -> None:
    """Test generic models on a dataset: accuracy of two classes, correlations, distance of distributions."""
    from generic.model.generic_model import GenericModel
    from generic.model.registry import find_model
    from protocols.report.held_out import facts, lines
    from protocols.splits.split import read_split
    from protocols.training.held_out import evaluate_model, held_out

    models = [GenericModel(find_model(name)) for name in model]
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
    chosen = None if split is None else read_split(split)
    photos = held_out(opened, split=chosen, threshold=threshold)
    report_skipped(photos.missing, len(photos.files) + len(photos.missing), "photo")
    tested = []
    for one in models:
        with stopping(AGAIN), progress_bar(one.name, len(photos.files)) as bar:
            tested.append(evaluate_model(one, photos, max_pixels=max_pixels, progress=bar))
        report_skipped(tested[-1].unreadable, len(photos.files), "photo")
    if as_json:
        print_json(facts(photos, tested))
        return
    for text in opened.notes:
        note(f"note: {text}")
    typer.echo("\n".join(lines(photos, tested)))


def add_to(app: typer.Typer) -> None:
    """Put the command into the command line."""
    example = "Example: piaa evaluate-generic --dataset histograms --root DIR --model runs/a/best.safetensors"
    app.command("evaluate-generic", epilog=example)(evaluate_generic)
