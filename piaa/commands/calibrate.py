"""``piaa calibrate``: the generic score learned again from an app's own raters, if others gain by it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from generic.errors import PiaaError
from piaa.commands.options import (
    AsJson,
    CacheOption,
    MaxPixels,
    ModelOption,
    NoCache,
    Overwrite,
    cache_folder,
    open_model,
)
from piaa.commands.progress import progress_bar, read_photos, stopping
from piaa.commands.terminal import note, print_json, report_skipped, reporting

if TYPE_CHECKING:
    from piaa.calibrate.photos import Group
    from piaa.people.opened_model import OpenedModel

NOBODY = "mean of raters"
"""Whose a table's ratings are that names nobody."""


@reporting
def calibrate(
    out: Annotated[Path, typer.Option(help="The model file to write, of the same kind as the model.")],
    ratings: Annotated[Path | None, typer.Option(help="Table user,image,score of many people.")] = None,
    images: Annotated[
        Path | None, typer.Option(help="The folder that the image names are relative to.")
    ] = None,
    scale: Annotated[
        tuple[float, float] | None, typer.Option(help="Lowest and highest possible score.")
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(help="In place of these: a store, a SQLite file or PostgreSQL URL, whose people rated."),
    ] = None,
    model: ModelOption = "piaa-lite",
    dataset: Annotated[
        str, typer.Option(help="Whose people they are: evaluations on a dataset of this name refuse them.")
    ] = "table",
    overwrite: Overwrite = False,
    cache: CacheOption = None,
    no_cache: NoCache = False,
    max_pixels: MaxPixels = None,
    as_json: AsJson = False,
) -> None:
    """Learn the generic score from your own raters; written only if people and photos not used gain."""
    from generic.model.new_file import check_new
    from piaa.calibrate.folds import PEOPLE_FOLDS, PHOTO_FOLDS
    from piaa.calibrate.learn import calibrate as learn
    from piaa.calibrate.learn import check_plain
    from piaa.calibrate.words import result_words

    given = _given(store, ratings, images, scale)
    opened = open_model(model, cache, no_cache, max_pixels)
    check_plain(opened.generic)
    check_new(
        out, suffix=opened.generic.path.suffix, overwrite=overwrite, source=opened.generic.path, what="model"
    )
    with stopping(read_photos(remembered=cache_folder(cache, no_cache) is not None)):
        group = _of_store(opened, given) if isinstance(given, str) else _of_table(opened, *given)
        report_skipped(group.skipped, len(group.names) + len(group.skipped), "rated photo")
        with progress_bar("holding out people and photos", PHOTO_FOLDS * PEOPLE_FOLDS) as advance:
            found = learn(
                opened.generic,
                out,
                group.vectors,
                group.digests,
                group.table,
                group.people,
                dataset,
                progress=advance,
            )
    if found.not_counted:
        note(f"{found.not_counted} of {found.n_people} people agree with nobody, and do not count")
    if as_json:
        print_json(found.facts(out) | {"skipped": group.skipped})
        return
    written = "" if found.header is None else f"{out}: {found.header.name} {found.header.hash[:8]}, "
    typer.echo(written + result_words(found))


def _given(
    store: str | None, ratings: Path | None, images: Path | None, scale: tuple[float, float] | None
) -> str | tuple[Path, Path, tuple[float, float]]:
    """A store, or a table with its folder and scale.

    Raises:
        PiaaError: it is neither, or both.
    """
    if store is not None and (ratings, images, scale) == (None, None, None):
        return store
    if store is None and ratings is not None and images is not None and scale is not None:
        return ratings, images, scale
    raise PiaaError("whose ratings is not clear; give all of --ratings, --images and --scale, or --store")


def _of_table(opened: OpenedModel, ratings: Path, images: Path, scale: tuple[float, float]) -> Group:
    from piaa.calibrate.photos import read_group
    from piaa.people.rated import same_files
    from piaa.ratings.scale import Scale
    from piaa.ratings.table import read_ratings

    table = read_ratings(ratings, scale=Scale(*scale), user=NOBODY, same=same_files(images))
    for line in table.notes:
        note(line)
    with progress_bar("reading photos", len(set(table.images))) as advance:
        return read_group(opened, table, images, progress=advance)


def _of_store(opened: OpenedModel, store: str) -> Group:
    from generic.cache.features import FeatureCache
    from piaa.calibrate.stored import stored_group
    from piaa.store.store import Store

    keeper = Store(store)
    try:
        with FeatureCache.open(opened.settings.cache) as cache:
            return stored_group(opened.generic, keeper, cache)
    finally:
        keeper.close()


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(epilog="Example: piaa calibrate --ratings r.csv --images photos/ --scale 1 5 --out app.onnx")(
        calibrate
    )
