"""``piaa cross-evaluate``: models trained on some datasets, tested on the users of others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from piaa.commands.options import AsJson, CacheOption, MaxPixels, NoCache, cache_folder
from piaa.commands.terminal import reporting
from protocols.commands import options
from protocols.commands.few_shot import NAN, open_model, open_split, prepare_test, run_tests, settings_of

if TYPE_CHECKING:
    from protocols.commands.options import AdaptersOf
    from protocols.datasets.dataset import Dataset


@reporting
def cross_evaluate(
    context: typer.Context,
    train: Annotated[
        list[str],
        typer.Option(metavar="NAME=MODEL", help="What a model was trained on, and its file; repeat."),
    ],
    test: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=ROOT",
            help="A dataset and the folder of its label files; repeat. Under a name of your own: "
            "NAME=DATASET:ROOT, such as mine=table:DIR, where DIR holds ratings.csv and images/.",
        ),
    ],
    split: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FILE", help="A test's split, of `piaa data split`; repeat."),
    ] = None,
    images: Annotated[
        list[str] | None, typer.Option(metavar="NAME=DIR", help="A test's folder of images; repeat.")
    ] = None,
    scale: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=LOW..HIGH", help="A table's scale, default 1..5; repeat."),
    ] = None,
    shots: options.Shots = "10,100",
    repeats: options.Repeats = 10,
    seed: options.Seed = 0,
    query: options.Query = "rest",
    min_ratings: options.MinRatings = 0,
    skip: options.Skip = False,
    nan: options.Nan = "drop",
    adapter: options.Adapters = "generic,ridge,auto",
    crowd: options.Crowd = False,
    out: options.Out = None,
    jobs: options.Jobs = None,
    cache: CacheOption = None,
    no_cache: NoCache = False,
    max_pixels: MaxPixels = None,
    wide: options.Wide = False,
    as_json: AsJson = False,
) -> None:
    """Test models trained on some datasets on the users of others: every --train on every --test."""
    settings = settings_of(shots, repeats, seed, query, min_ratings, skip)
    policy, names = options.one_of("--nan", nan, NAN), options.words("--adapter", adapter)
    folder = cache_folder(cache, no_cache)
    models, roots = options.named("--train", train), options.named("--test", test)
    splits, folders, scales = (
        options.named(option, given or (), known=list(roots))
        for option, given in (("--split", split), ("--images", images), ("--scale", scale))
    )
    sides = []
    for name, root in roots.items():
        data = _open_test(name, root, images=folders.get(name), scale=scales.get(name))
        sides.append((name, data, open_split(data, Path(splits[name]) if name in splits else None)))
    opened = [(name, open_model(file)) for name, file in models.items()]
    prepared = [
        prepare_test(side, trained, context.obj, names, settings, folder, max_pixels, crowd=crowd)
        for trained in opened
        for side in sides
    ]
    run_tests(prepared, "cross-evaluate", out, policy, jobs, wide=wide, as_json=as_json)


def _open_test(name: str, text: str, *, images: str | None, scale: str | None) -> Dataset:
    """The dataset of ``--test NAME=ROOT`` or ``NAME=DATASET:ROOT``."""
    from piaa.ratings.scale import Scale
    from protocols.datasets.load import DATASETS

    before, colon, after = text.partition(":")
    dataset, root = (before, after) if colon and before in DATASETS else (name, text)
    if dataset not in DATASETS:
        raise typer.BadParameter(
            f"--test has {name!r}, which is no dataset; say which it is, such as {name}=table:{text}"
        )
    ends = None if scale is None else Scale.parse(scale)
    return options.open_dataset(
        dataset,
        Path(root),
        images=None if images is None else Path(images),
        scale=None if ends is None else (ends.low, ends.high),
    )


def add_to(app: typer.Typer, adapters: AdaptersOf) -> None:
    """Register the command.

    Args:
        app: where.
        adapters: how to make the adapters that a person names.
    """
    app.command(
        "cross-evaluate",
        epilog="Example: piaa cross-evaluate --train flickr-aes=a.safetensors --test flickr-aes=DIR "
        "--test mine=table:DIR --scale mine=1..7",
        context_settings={"obj": adapters},
    )(cross_evaluate)
