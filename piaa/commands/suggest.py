"""``piaa suggest``: which photos to rate next, or which pairs to compare."""

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
from piaa.commands.terminal import note, print_json, report_skipped, reporting

if TYPE_CHECKING:
    from piaa.people.asking import Seconds


@reporting
def suggest(
    photos: Annotated[Path, typer.Argument(help="The album: a folder, searched with its subfolders.")],
    user: Annotated[
        str | None, typer.Option("--user", "-u", help="Who will rate; without it, somebody new.")
    ] = None,
    n: Annotated[int, typer.Option("-n", min=1, help="How many questions.")] = 10,
    ask: Annotated[
        str,
        typer.Option(help="'ratings', 'comparisons', or 'both': whichever teaches most for a second."),
    ] = "both",
    rating_seconds: Annotated[
        float, typer.Option(min=0.01, help="What a rating takes, with --ask both.")
    ] = 5.0,
    comparison_seconds: Annotated[float, typer.Option(min=0.01, help="What a comparison takes.")] = 2.0,
    out: Annotated[Path | None, typer.Option(help="Write the list here: .csv or .json.")] = None,
    model: options.ModelOption = "piaa-lite",
    store: options.StoreOption = None,
    cache: options.CacheOption = None,
    no_cache: options.NoCache = False,
    max_pixels: options.MaxPixels = None,
    as_json: options.AsJson = False,
) -> None:
    """Name the pairs to compare, and photos to rate, that would teach most about a person's ranking."""
    seconds = _seconds(ask, rating_seconds, comparison_seconds)
    from piaa.people.suggest_photos import check_suffix, suggest_photos
    from piaa.people.tell import known_of
    from piaa.store.store import Store

    if out is not None:
        check_suffix(out)
    paths, names = find_and_say([photos])
    chosen = options.open_model(model, cache, no_cache, max_pixels)
    said = None
    if user is not None:
        said = known_of(Store(store), user, chosen.generic.hash)
        if said is None:
            note(f"the store knows no ratings of {user} yet: suggestions are for somebody new")
    kept = read_photos(remembered=not no_cache)
    with stopping(kept), progress_bar("reading photos", len(paths)) as advance:
        found = suggest_photos(
            chosen, paths, names, n, user=user or "me", said=said, seconds=seconds, progress=advance
        )
    facts = {"user": user, "model": chosen.generic.name, "model_hash": chosen.generic.hash}
    if out is not None:
        found.write(out, **facts)
    if as_json:
        print_json({**facts, **found.facts()})
        return
    report_skipped(found.skipped, len(paths), "photo")
    if out is not None:
        what = f"{len(found.picks)} of {counted(found.n_album, 'photo')} to rate next"
        if ask != "ratings":
            what = f"{counted(len(found.picks), 'question')} about {counted(found.n_album, 'photo')}"
        typer.echo(f"{what}: {out}")
        note(found.outlook())
        return
    heading = "uncertainty of the album's scores"
    sides = [(one.image,) if one.other is None else (one.image, one.other) for one in found.picks]
    asked = [" or ".join(map(printable, names)) for names in sides]
    shown = name_column(asked, "image", len(f"        {heading}"))
    typer.echo(f"      {shown[0]}  {heading}")
    for number, (name, one) in enumerate(zip(shown[1:], found.picks, strict=True), 1):
        typer.echo(f"{number:>4}  {name}  {one.before:.3f} -> {one.after:.3f}")
    note(found.outlook())


def _seconds(ask: str, rating: float, comparison: float) -> Seconds:
    """What is asked for, and what it costs."""
    from piaa.people.asking import asking_for

    if ask not in ("ratings", "comparisons", "both"):
        raise typer.BadParameter(f"--ask takes 'ratings', 'comparisons' or 'both', not {ask!r}")
    return asking_for(ask, rating, comparison)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(epilog="Example: piaa suggest photos/ --user ana -n 10 --out rate-next.csv")(suggest)
