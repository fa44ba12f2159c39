"""``piaa demo``: the main job from nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from piaa.commands.options import AsJson
from piaa.commands.progress import AGAIN, progress_bar, stopping
from piaa.commands.terminal import print_json, reporting


@reporting
def demo(
    out: Annotated[Path, typer.Option(help="Folder for everything the demo makes.")] = Path("piaa-demo"),
    seed: Annotated[int, typer.Option(help="Another seed renders another album for other people.")] = 0,
    as_json: AsJson = False,
) -> None:
    """The main job from nothing: an album, people who rate 10 and 30 photos, what that is worth, a wall."""
    from piaa.demo import run

    with stopping(AGAIN), progress_bar("rendering and reading", run.N_STEPS) as advance:
        made = run.simulated(out, seed=seed, progress=advance)
    if as_json:
        print_json(made.facts())
        return
    for line in made.lines():
        typer.echo(line)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(epilog="Example: piaa demo --out /tmp/piaa-demo")(demo)
