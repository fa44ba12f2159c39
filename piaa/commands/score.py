"""``piaa score``: rank photos for a person, or for the crowd."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from generic.photos.find import printable
from generic.words import counted
from piaa.commands import options
from piaa.commands.album import find_and_say
from piaa.commands.layout import name_column
from piaa.commands.progress import progress_bar, read_photos, stopping
from piaa.commands.terminal import print_json, report_skipped, reporting

if TYPE_CHECKING:
    from piaa.people.score_table import ScoreTable


@reporting
def score(
    photos: Annotated[
        list[Path], typer.Argument(help="Folders (searched with their subfolders) or photos, one or more.")
    ],
    user: Annotated[
        str | None, typer.Option("--user", "-u", help="The person's name; without it, the crowd's ranking.")
    ] = None,
    top: Annotated[int | None, typer.Option(min=1, help="Only the best N.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the table here: .csv, .json or .parquet.")] = None,
    model: options.ModelOption = "piaa-lite",
    store: options.StoreOption = None,
    cache: options.CacheOption = None,
    no_cache: options.NoCache = False,
    max_pixels: options.MaxPixels = None,
    as_json: options.AsJson = False,
) -> None:
    """Rank photos for a person; without --user, for the crowd."""
    from piaa.people.score_photos import CROWD_SCALE, score_for_the_crowd
    from piaa.people.score_table import check_format

    if out is not None:
        check_format(out)
    chosen = options.open_model(model, cache, no_cache, max_pixels)
    person = None if user is None else chosen.load(user, store=store)
    paths, names = find_and_say(photos)
    with stopping(read_photos(remembered=not no_cache)), progress_bar("scoring", len(paths)) as advance:
        if person is None:
            table = score_for_the_crowd(chosen, paths, names, progress=advance)
        else:
            table = person.score_paths(paths, names, progress=advance)
    scale = CROWD_SCALE if person is None else person.scale
    facts = {"user": user, "model": chosen.generic.name, "scale": scale.to_json()}
    if out is not None:
        table.write(out, top, **facts)
    if as_json:
        print_json(table.content(top, **facts))
        return
    report_skipped(table.skipped, len(paths), "photo")
    if out is None:
        print_scores(table, top)
    else:
        shown = len(table) if top is None else min(top, len(table))
        whose = "by the crowd's ranking" if user is None else f"for {user}"
        typer.echo(f"{shown} of {counted(len(table), 'photo')} ranked {whose}: {out}")


def print_scores(table: ScoreTable, top: int | None) -> None:
    """The ranking as aligned text."""
    rows = list(table.rows(top))
    heading, cells = "score", [f"{row['score']:5.2f}" for row in rows]
    if table.generic is not None:
        heading += "  80 % interval  generic"
        cells = [
            f"{cell}  {row['low']:5.2f} … {row['high']:<5.2f}  {row['generic']:7.2f}"
            for cell, row in zip(cells, rows, strict=True)
        ]
    names = name_column([printable(row["image"]) for row in rows], "image", len(f"rank    {heading}"))
    typer.echo(f"rank  {names[0]}  {heading}")
    for rank, (name, cell) in enumerate(zip(names[1:], cells, strict=True), 1):
        typer.echo(f"{rank:>4}  {name}  {cell}")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(epilog="Example: piaa score photos/ --user ana --top 20 --out scores.csv")(score)
