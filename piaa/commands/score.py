"""``piaa score``: rank photos for a person."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from generic.photos.find import printable
from piaa.commands import options
from piaa.commands.terminal import print_json, progress_bar, report_skipped, reporting
from piaa.commands.write_xmp import check_ways, report_undone, report_written, take_back, write_scores

if TYPE_CHECKING:
    from piaa.people.score_table import ScoreTable


@reporting
def score(
    photos: Annotated[Path, typer.Argument(help="A folder (searched with its subfolders) or one photo.")],
    user: options.User,
    top: Annotated[int | None, typer.Option(min=1, help="Only the best N.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the table here: .csv, .json or .parquet.")] = None,
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
    """Rank photos for a person, best first."""
    check_ways(
        write_xmp=write_xmp,
        write_stars=write_stars,
        label=xmp_label,
        keyword=xmp_keyword,
        dry_run=dry_run,
        undo=undo,
    )
    if undo:
        undone = take_back(photos, user, store)
        print_json(undone) if as_json else report_undone(undone)
        return
    from generic.photos.find import find_images
    from piaa.people.score_table import check_format

    if out is not None:
        check_format(out)
    person = options.open_model(model, cache, no_cache, max_pixels).load(user, store=store)
    paths = find_images(photos)
    root = photos if photos.is_dir() else photos.parent
    with progress_bar("scoring", len(paths)) as advance:
        table = person.score_paths(
            paths, [path.relative_to(root).as_posix() for path in paths], progress=advance
        )
    facts: dict[str, Any] = {
        "user": user,
        "model": person.model.generic.name,
        "scale": person.scale.to_json(),
    }
    if out is not None:
        table.write(out, top, **facts)
    if write_xmp:
        from piaa.stars.plan import Wishes

        wishes = Wishes(stars=write_stars, label=xmp_label, keyword=xmp_keyword)
        written = write_scores(person, table, photos, wishes, top=top, store=store, dry_run=dry_run)
        facts["xmp"] = written
    if as_json:
        print_json(table.content(top, **facts))
        return
    report_skipped(table.skipped, len(paths), "photos")
    if write_xmp:
        report_written(written, user, dry_run=dry_run)
    elif out is None:
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
