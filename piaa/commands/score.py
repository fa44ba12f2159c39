"""``piaa score``: rank photos for a person."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from generic.photos.find import printable
from piaa.commands import options
from piaa.commands.album import find_and_say
from piaa.commands.terminal import print_json, progress_bar, report_skipped, reporting

if TYPE_CHECKING:
    from piaa.people.score_table import ScoreTable


@reporting
def score(
    photos: Annotated[Path, typer.Argument(help="A folder (searched with its subfolders) or one photo.")],
    user: options.User,
    top: Annotated[int | None, typer.Option(min=1, help="Only the best N.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the table here: .csv, .json or .parquet.")] = None,
    model: options.ModelOption = "piaa-lite",
    store: options.StoreOption = None,
    cache: options.CacheOption = None,
    no_cache: options.NoCache = False,
    max_pixels: options.MaxPixels = None,
    as_json: options.AsJson = False,
) -> None:
    """Rank photos for a person, best first."""
    from piaa.people.score_table import check_format

    if out is not None:
        check_format(out)
    person = options.open_model(model, cache, no_cache, max_pixels).load(user, store=store)
    paths = find_and_say(photos)
    root = photos if photos.is_dir() else photos.parent
    with progress_bar("scoring", len(paths)) as advance:
        table = person.score_paths(
            paths, [path.relative_to(root).as_posix() for path in paths], progress=advance
        )
    facts = {"user": user, "model": person.model.generic.name, "scale": person.scale.to_json()}
    if out is not None:
        table.write(out, top, **facts)
    if as_json:
        print_json(table.content(top, **facts))
        return
    report_skipped(table.skipped, len(paths), "photos")
    if out is None:
        print_scores(table, top)
    else:
        shown = len(table) if top is None else min(top, len(table))
        typer.echo(f"{shown} of {len(table)} photos ranked for {user}: {out}")


def print_scores(table: ScoreTable, top: int | None) -> None:
    """The ranking as aligned text."""
    rows = [{**row, "image": printable(row["image"])} for row in table.rows(top)]
    width = max(len("image"), *(len(row["image"]) for row in rows))
    typer.echo(f"{'rank':>4}  {'image':<{width}}  score  80 % interval  generic")
    for rank, row in enumerate(rows, 1):
        typer.echo(
            f"{rank:>4}  {row['image']:<{width}}  {row['score']:5.2f}  "
            f"{row['low']:5.2f} … {row['high']:<5.2f}  {row['generic']:7.2f}"
        )


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(epilog="Example: piaa score photos/ --user ana --top 20 --out scores.csv")(score)
