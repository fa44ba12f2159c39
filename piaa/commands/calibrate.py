"""``piaa calibrate``: the generic score learned again from an app's own raters, if others gain by it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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

NOBODY = "mean of raters"
"""Whose a table's ratings are that names nobody."""


@reporting
def calibrate(
    ratings: Annotated[Path, typer.Option(help="Table user,image,score of many people.")],
    images: Annotated[Path, typer.Option(help="The folder that the image names are relative to.")],
    scale: Annotated[tuple[float, float], typer.Option(help="Lowest and highest possible score.")],
    out: Annotated[Path, typer.Option(help="The model file to write, of the same kind as the model.")],
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
    from piaa.calibrate.photos import read_group
    from piaa.calibrate.words import result_words
    from piaa.people.rated import same_files
    from piaa.ratings.scale import Scale
    from piaa.ratings.table import read_ratings

    opened = open_model(model, cache, no_cache, max_pixels)
    check_plain(opened.generic)
    check_new(
        out, suffix=opened.generic.path.suffix, overwrite=overwrite, source=opened.generic.path, what="model"
    )
    table = read_ratings(ratings, scale=Scale(*scale), user=NOBODY, same=same_files(images))
    for line in table.notes:
        note(line)
    n, kept = len(set(table.images)), read_photos(remembered=cache_folder(cache, no_cache) is not None)
    with stopping(kept):
        with progress_bar("reading photos", n) as advance:
            group = read_group(opened, table, images, progress=advance)
        report_skipped(group.skipped, n, "rated photo")
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


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(epilog="Example: piaa calibrate --ratings r.csv --images photos/ --scale 1 5 --out app.onnx")(
        calibrate
    )
