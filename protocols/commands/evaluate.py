"""``piaa evaluate``: few-shot tests on the users of a dataset, and the report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from piaa.commands.options import AsJson, CacheOption, MaxPixels, ModelOption, NoCache, cache_folder
from piaa.commands.terminal import reporting
from protocols.commands import options
from protocols.commands.few_shot import NAN, open_model, open_split, prepare_test, run_tests, settings_of

if TYPE_CHECKING:
    from protocols.commands.options import AdaptersOf


@reporting
def evaluate(
    context: typer.Context,
    dataset: Annotated[str, typer.Option(help="flickr-aes, aadb, para, real-cur or table (your own).")],
    root: options.LabelRoot = None,
    ratings: options.RatingsFile = None,
    images: options.Images = None,
    users: options.Users = None,
    scale: options.ScaleEnds = None,
    duplicates: options.DuplicatesChoice = None,
    split: Annotated[
        Path | None,
        typer.Option(
            help="Of `piaa data split`; default: the dataset's own; table without --users: everybody."
        ),
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
    model: ModelOption = "piaa-lite",
    out: options.Out = None,
    jobs: options.Jobs = None,
    cache: CacheOption = None,
    no_cache: NoCache = False,
    max_pixels: MaxPixels = None,
    wide: options.Wide = False,
    as_json: AsJson = False,
) -> None:
    """Test adapters on a dataset's users: learn from k ratings, predict the others; mean±std SRCC."""
    settings = settings_of(shots, repeats, seed, query, min_ratings, skip)
    policy, names = options.one_of("--nan", nan, NAN), options.words("--adapter", adapter)
    folder = cache_folder(cache, no_cache)
    data = options.open_dataset(
        dataset, root, ratings=ratings, images=images, users=users, scale=scale, duplicates=duplicates
    )
    chosen = open_model(model)
    prepared = prepare_test(
        (data.name, data, open_split(data, split)),
        (f"the data of {chosen.name}", chosen),
        context.obj,
        names,
        settings,
        folder,
        max_pixels,
        crowd=crowd,
    )
    run_tests([prepared], f"evaluate-{data.name}", out, policy, jobs, wide=wide, as_json=as_json)


def add_to(app: typer.Typer, adapters: AdaptersOf) -> None:
    """Register the command.

    Args:
        app: where.
        adapters: how to make the adapters that a person names.
    """
    app.command(
        epilog="Example: piaa evaluate --dataset flickr-aes --root DIR --adapter generic,bayes",
        context_settings={"obj": adapters},
    )(evaluate)
