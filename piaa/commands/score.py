"""``piaa score``: rank photos for a person, or for the crowd."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from generic.photos.find import printable
from generic.words import counted
from piaa.commands import best, options
from piaa.commands.album import find_and_say
from piaa.commands.layout import name_column
from piaa.commands.progress import progress_bar, read_photos, stopping
from piaa.commands.terminal import note, print_json, report_skipped, reporting
from piaa.commands.write_xmp import Sidecars, report_written

if TYPE_CHECKING:
    from collections.abc import Sequence

    from generic.model.generic_model import Embedded
    from generic.progress import Progress
    from piaa.people.model import Model
    from piaa.people.person import Person
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
    unrated: best.Unrated = False,
    per_burst: best.PerBurst = None,
    copy_top: best.CopyTop = None,
    link_top: best.LinkTop = None,
    html: best.Html = None,
    write_xmp: Annotated[
        bool, typer.Option("--write-xmp", help="Write the scores into XMP sidecars, never into a photo.")
    ] = False,
    write_stars: Annotated[
        bool, typer.Option("--write-stars", help="With --write-xmp: stars too, where a photo has none.")
    ] = False,
    xmp_label: Annotated[
        str | None, typer.Option(help="With --write-xmp: this label, where a photo has none.")
    ] = None,
    xmp_keyword: Annotated[str | None, typer.Option(help="With --write-xmp: this keyword too.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --write-xmp: only say what would be written.")
    ] = False,
    undo: Annotated[
        bool, typer.Option("--undo", help="Put the sidecars back as they were before the last --write-xmp.")
    ] = False,
    model: options.ModelOption = "piaa-lite",
    store: options.StoreOption = None,
    cache: options.CacheOption = None,
    no_cache: options.NoCache = False,
    max_pixels: options.MaxPixels = None,
    as_json: options.AsJson = False,
) -> None:
    """Rank photos for a person; without --user, for the crowd."""
    sidecars = Sidecars(write_xmp, write_stars, xmp_label, xmp_keyword, dry_run, undo)
    asked = best.Asked(unrated=unrated, per_burst=per_burst, copy_top=copy_top, link_top=link_top, html=html)
    sidecars.check(photos, user, asked.writes)
    if undo:
        sidecars.take_back(photos, user, store, as_json)
        return
    from piaa.people.score_table import check_format

    if out is not None:
        check_format(out)
    asked.check(photos, user)
    chosen = options.open_model(model, cache, no_cache, max_pixels)
    person = None if user is None else chosen.load(user, store=store)
    paths, names = find_and_say(photos)
    found: dict[str, Embedded] | None = {} if asked.anything else None
    with stopping(read_photos(remembered=not no_cache)), progress_bar("scoring", len(paths)) as advance:
        table, facts = _scored(chosen, person, paths, names, progress=advance, found=found)
    told: list[str] = []
    if found is not None:
        done = asked.granted(best.ranked_with(table, found, chosen, person, store), top)
        table, told, facts = done.table, done.lines, {**facts, **done.facts}
    if out is not None:
        table.write(out, top, **facts)
    if write_xmp and person is not None:
        facts["xmp"] = sidecars.written(person, table, photos[0], top, store)
    if as_json:
        print_json(table.content(top, **facts))
        return
    report_skipped(table.skipped, len(paths), "photo")
    for line in told:
        note(line)
    if write_xmp:
        report_written(facts["xmp"], str(user), dry_run=dry_run)
    else:
        _report(table, top, user, out)


def _scored(
    chosen: Model,
    person: Person | None,
    paths: Sequence[Path],
    names: Sequence[str],
    *,
    progress: Progress,
    found: dict[str, Embedded] | None,
) -> tuple[ScoreTable, dict[str, Any]]:
    """The table for the person, or for the crowd, and what a file or a machine is told beside it."""
    from piaa.people.score_photos import CROWD_SCALE, score_for_the_crowd

    facts: dict[str, Any] = {"user": None, "model": chosen.generic.name, "scale": CROWD_SCALE.to_json()}
    if person is None:
        return score_for_the_crowd(chosen, paths, names, progress=progress, found=found), facts
    table = person.score_paths(paths, names, progress=progress, found=found)
    return table, {**facts, "user": person.user, "scale": person.scale.to_json()}


def _report(table: ScoreTable, top: int | None, user: str | None, out: Path | None) -> None:
    if out is None:
        print_scores(table, top)
        return
    shown = len(table) if top is None else min(top, len(table))
    whose = "by the crowd's ranking" if user is None else f"for {user}"
    typer.echo(f"{shown} of {counted(len(table), 'photo')} ranked {whose}: {out}")


def print_scores(table: ScoreTable, top: int | None) -> None:
    """The ranking as aligned text."""
    rows = list(table.rows(top))
    heading, cells = "score", [f"{row['score']:5.2f}" for row in rows]
    if table.low is not None:
        heading += "  80 % interval  generic" + "    sure" * (table.sure is not None)
        cells = [
            f"{cell}  {row['low']:5.2f} … {row['high']:<5.2f}  {row['generic']:7.2f}{_sure(row)}"
            for cell, row in zip(cells, rows, strict=True)
        ]
    names = name_column([printable(row["image"]) for row in rows], "image", len(f"rank    {heading}"))
    typer.echo(f"rank  {names[0]}  {heading}")
    for rank, (name, cell) in enumerate(zip(names[1:], cells, strict=True), 1):
        typer.echo(f"{rank:>4}  {name}  {cell}")


def _sure(row: dict[str, Any]) -> str:
    """How sure it is that the photo belongs into the half of the ranking where it is."""
    from piaa.people.score_table import SURE

    if "sure" not in row:
        return ""
    return f"  {100 * row['sure']:4.0f} %" if row["sure"] >= SURE else "  unsure"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(epilog="Example: piaa score photos/ --user ana --top 20 --out scores.csv")(score)
