"""``piaa suggest``: which photos to rate next."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from generic.photos.find import printable
from generic.words import counted
from piaa.commands import options
from piaa.commands.album import find_and_say
from piaa.commands.layout import name_column
from piaa.commands.progress import progress_bar, read_photos, stopping
from piaa.commands.terminal import note, print_json, report_skipped, reporting


@reporting
def suggest(
    photos: Annotated[Path, typer.Argument(help="The album: a folder, searched with its subfolders.")],
    user: Annotated[
        str | None, typer.Option("--user", "-u", help="Who will rate; without it, somebody new.")
    ] = None,
    n: Annotated[int, typer.Option("-n", min=1, help="How many photos.")] = 10,
    out: Annotated[Path | None, typer.Option(help="Write the list here: .csv or .json.")] = None,
    model: options.ModelOption = "piaa-lite",
    store: options.StoreOption = None,
    cache: options.CacheOption = None,
    no_cache: options.NoCache = False,
    max_pixels: options.MaxPixels = None,
    as_json: options.AsJson = False,
) -> None:
    """Name the photos whose ratings would teach most about a person's ranking of the album."""
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
        if said is None or not said.ratings:
            note(f"the store knows no ratings of {user} yet: suggestions are for somebody new")
    kept = read_photos(remembered=not no_cache)
    with stopping(kept), progress_bar("reading photos", len(paths)) as advance:
        found = suggest_photos(chosen, paths, names, n, user=user or "me", said=said, progress=advance)
    facts = {"user": user, "model": chosen.generic.name, "model_hash": chosen.generic.hash}
    if out is not None:
        found.write(out, **facts)
    if as_json:
        print_json({**facts, **found.facts()})
        return
    report_skipped(found.skipped, len(paths), "photo")
    if out is not None:
        typer.echo(f"{len(found.picks)} of {counted(found.n_album, 'photo')} to rate next: {out}")
        return
    heading = "uncertainty of the album's scores"
    shown = name_column([printable(one.image) for one in found.picks], "image", len(f"        {heading}"))
    typer.echo(f"      {shown[0]}  {heading}")
    for number, (name, one) in enumerate(zip(shown[1:], found.picks, strict=True), 1):
        typer.echo(f"{number:>4}  {name}  {one.before:.3f} -> {one.after:.3f}")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(epilog="Example: piaa suggest photos/ --user ana -n 10 --out rate-next.csv")(suggest)
