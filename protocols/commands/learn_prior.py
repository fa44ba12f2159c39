"""``piaa models learn-prior``: how a dataset's training users differ, put into a model's file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from piaa.commands.options import AsJson, CacheOption, MaxPixels, NoCache, Overwrite, cache_folder
from piaa.commands.progress import progress_bar
from piaa.commands.terminal import note, print_json, report_skipped, reporting
from protocols.commands import options

if TYPE_CHECKING:
    from generic.model.generic_model import GenericModel
    from protocols.datasets.dataset import Dataset
    from protocols.splits.split import Split

AddPrior = Callable[..., Any]
"""``add(model, out, vectors, digests, people, origin)``; handed in, so that protocols know no adapter."""


@reporting
def models_learn_prior(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="An embedded model's name, or a model file.")],
    dataset: Annotated[str, typer.Option(help="flickr-aes, aadb, para or table (your own).")],
    out: Annotated[Path, typer.Option(help="The model file to write, of the same kind.")],
    root: options.LabelRoot = None,
    ratings: options.RatingsFile = None,
    images: options.Images = None,
    users: options.Users = None,
    scale: options.ScaleEnds = None,
    duplicates: options.DuplicatesChoice = None,
    split: Annotated[
        Path | None,
        typer.Option(
            help="Of `piaa data split`: its training side is learned from; default: the dataset's own."
        ),
    ] = None,
    overwrite: Overwrite = False,
    cache: CacheOption = None,
    no_cache: NoCache = False,
    max_pixels: MaxPixels = None,
    as_json: AsJson = False,
) -> None:
    """Learn how a dataset's training users differ; write the model with it as its prior."""
    from generic.model.generic_model import GenericModel
    from generic.model.new_file import check_new
    from generic.model.registry import find_model
    from protocols.splits.split import read_split
    from protocols.training.meta_data import training_split

    path = find_model(model)
    check_new(out, suffix=path.suffix, overwrite=overwrite, source=path, what="model")
    data = options.open_dataset(
        dataset, root, ratings=ratings, images=images, users=users, scale=scale, duplicates=duplicates
    )
    side = training_split(data) if split is None else read_split(split)
    folder = cache_folder(cache, no_cache)
    done, skipped, n = teach(context.obj, GenericModel(path), out, data, side, folder, max_pixels)
    facts = {"n_people": done.n_people, "n_photos": done.n_photos, "n_new_photos": done.n_new}
    if as_json:
        print_json({"file": str(out), "hash": done.header.hash, **facts, "skipped": skipped})
        return
    report_skipped(skipped, n, f"rated photos of {data.name}")
    typer.echo(f"{out}: {done.header.name} {done.header.hash[:8]}, {_words(done)}")


def teach(
    add: AddPrior,
    model: GenericModel,
    out: Path,
    data: Dataset,
    side: Split,
    folder: Path | None,
    max_pixels: int | None = None,
) -> tuple[Any, dict[str, str], int]:
    """Learn a prior from a split's training side and write the model with it.

    Returns:
        what was written; photos that could not be used, with the reason; and of how many.

    Raises:
        DatasetError: the dataset has no individual ratings, no photos, or nobody who trains.
        TooFewRatings: too little to tell how people differ.
    """
    from generic.cache.features import FeatureCache
    from protocols.training.meta_data import training_data, training_ratings

    rated = training_ratings(data, side)
    n = len(set(rated.images))
    with FeatureCache.open(folder) as kept, progress_bar("reading photos", n) as advance:
        given = training_data(data, rated, model, cache=kept, max_pixels=max_pixels, progress=advance)
    done = add(model, out, given.vectors, given.digests, given.people, given.origin)
    return done, dict(given.unreadable), n


def after_pretraining(add: AddPrior, file: Path, data: Dataset, side: Split) -> None:
    """Give a model that was trained just now its prior, where the data can say one; else say why not."""
    from generic.errors import DatasetError, TooFewRatings
    from generic.model.generic_model import GenericModel

    if data.ratings is None:
        return
    try:
        done, _, _ = teach(add, GenericModel(file), file, data, side, None)
    except (DatasetError, TooFewRatings) as error:
        note(f"no prior, so adapters that need one are refused: {error}")
        return
    note(f"{file}: now {done.header.hash[:8]}, {_words(done)}")


def _words(done: Any) -> str:  # noqa: ANN401 - see AddPrior
    return (
        f"with the prior of {done.n_people} people on {done.n_photos} photos, {done.n_new} new to the model"
    )


def add_to(app: typer.Typer, add: AddPrior) -> None:
    """Register the command.

    Args:
        app: where.
        add: how a prior is learned and written.
    """
    app.command(
        "learn-prior",
        epilog="Example: piaa models learn-prior runs/a/best.safetensors --dataset para --root DIR "
        "--out mine.safetensors",
        context_settings={"obj": add},
    )(models_learn_prior)
