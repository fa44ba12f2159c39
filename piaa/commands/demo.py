"""``piaa demo``: the main job from nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from piaa.commands.album import find_and_say
from piaa.commands.options import AsJson
from piaa.commands.progress import AGAIN, progress_bar, read_photos, stopping
from piaa.commands.terminal import note, print_json, reporting


@reporting
def demo(
    out: Annotated[Path, typer.Option(help="Folder for everything the demo makes.")] = Path("piaa-demo"),
    photos: Annotated[
        Path | None, typer.Option(help="Your own photos: the demo asks you for ten ratings.")
    ] = None,
    person: Annotated[str, typer.Option(help="The simulated person: Ana, Ben or Chiyo.")] = "Chiyo",
    seed: Annotated[int, typer.Option(help="Another seed renders another album.")] = 0,
    as_json: AsJson = False,
) -> None:
    """The main job from nothing: an album, ten ratings, a personal ranking, a wall of thumbnails."""
    from piaa.demo import run

    if photos is None:
        with stopping(AGAIN), progress_bar("rendering and reading", run.N_STEPS) as advance:
            made = run.simulated(out, person=person, seed=seed, progress=advance)
    else:
        paths, _ = find_and_say([photos])
        with stopping(read_photos(remembered=True)), progress_bar("reading photos", len(paths)) as advance:
            choice = run.choose(out, photos, progress=advance)
        note(f"Rate the photos numbered in {choice.sheet}: 1 is dislike, 5 is love.")
        made = run.own_photos(choice, ask_rating)
    if as_json:
        print_json(made.facts())
        return
    for line in made.lines():
        typer.echo(line)


def ask_rating(number: int, name: str) -> int | None:
    """One rating from the terminal; None leaves the photo out."""
    while True:
        answer: str = typer.prompt(
            f"{number:>2}. {name}  [1-5, empty to leave out]", default="", show_default=False
        )
        if answer.strip() in ("", "1", "2", "3", "4", "5"):
            return int(answer) if answer.strip() else None
        note("please type 1 (dislike) to 5 (love), or nothing")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(epilog="Example: piaa demo --photos ~/Pictures/summer")(demo)
