"""``piaa evaluate``: few-shot tests on the users of a dataset, and the report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from piaa.commands.options import AsJson, CacheOption, MaxPixels, ModelOption, NoCache, cache_folder
from piaa.commands.terminal import reporting
from protocols.commands.few_shot import NAN, open_model, open_split, prepare_test, run_tests, settings_of
from protocols.commands.options import (
    Adapters,
    DuplicatesChoice,
    Images,
    Jobs,
    LabelRoot,
    MinRatings,
    Nan,
    Out,
    Query,
    RatingsFile,
    Repeats,
    ScaleEnds,
    Seed,
    Shots,
    Skip,
    Users,
    Wide,
    one_of,
    open_dataset,
    words,
)

if TYPE_CHECKING:
    from protocols.commands.options import AdaptersOf


@reporting
def evaluate(
    context: typer.Context,
    dataset: Annotated[str, typer.Option(help="flickr-aes, aadb, para, real-cur or table (your own).")],
    root: LabelRoot = None,
    ratings: RatingsFile = None,
    images: Images = None,
    users: Users = None,
    scale: ScaleEnds = None,
    duplicates: DuplicatesChoice = None,
    split: Annotated[
        Path | None,
        typer.Option(
            help="Of `piaa data split`; default: the dataset's own; table without --users: everybody."
        ),
    ] = None,
    shots: Shots = "10,100",
    repeats: Repeats = 10,
    seed: Seed = 0,
    query: Query = "rest",
    min_ratings: MinRatings = 0,
    skip: Skip = False,
    nan: Nan = "drop",
    adapter: Adapters = "generic,ridge,auto",
    model: ModelOption = "piaa-lite",
    out: Out = None,
    jobs: Jobs = None,
    cache: CacheOption = None,
    no_cache: NoCache = False,
    max_pixels: MaxPixels = None,
    wide: Wide = False,
    as_json: AsJson = False,
) -> None:
    """Test adapters on a dataset's users: learn from k ratings, predict the others; mean±std SRCC."""
    settings = settings_of(shots, repeats, seed, query, min_ratings, skip)
    policy, names = one_of("--nan", nan, NAN), words("--adapter", adapter)
    folder = cache_folder(cache, no_cache)
    data = open_dataset(
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
