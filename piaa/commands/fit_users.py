"""``piaa fit-users``: many people at once, from a table of all their ratings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from generic.words import counted
from piaa.commands.options import AsJson, ModelOption
from piaa.commands.part import part_of
from piaa.commands.progress import AGAIN, listing, stopping
from piaa.commands.terminal import note, print_json, reporting


@reporting
def fit_users(
    ratings: Annotated[
        Path, typer.Argument(help="Parquet, a file or a folder: user, image, score, sorted by user.")
    ],
    vectors: Annotated[str, typer.Option(help="Folder or URL of piaa embed's --out.")],
    out: Annotated[str, typer.Option(help="Folder or URL of the linear forms.")],
    scale: Annotated[tuple[float, float], typer.Option(help="Lowest and highest possible score.")] = (1, 5),
    adapter: Annotated[str, typer.Option(help="How people are learned: auto, bayes or ridge.")] = "bayes",
    shard: Annotated[
        str | None, typer.Option(help="I/N: only the people of worker I (from 0) of N workers.")
    ] = None,
    model: ModelOption = "piaa-lite",
    as_json: AsJson = False,
) -> None:
    """Learn many people at once from photos whose vectors are there."""
    import piaa
    from generic.extras import require
    from piaa.cluster.fit_users import fit_users as fit_all
    from piaa.cluster.folder import Folder
    from piaa.cluster.vectors import VectorFolder
    from piaa.ratings.scale import Scale

    require("piaa fit-users", "pyarrow")
    opened = piaa.load_model(model, cache=False)
    source = VectorFolder(Folder(vectors), opened.generic.hash)
    with stopping(AGAIN), listing("people") as advance:
        done = fit_all(
            ratings,
            source,
            Folder(out),
            opened.maker(adapter),
            Scale(*scale),
            part=part_of(shard),
            progress=advance,
        )
    if as_json:
        print_json({**done.__dict__, "adapter": adapter, "out": out})
        return
    if done.unknown:
        note(f"left out: {counted(done.unknown, 'rating')} of photos that have no vector in {vectors}")
    if done.left_out:
        note(
            f"left out: {counted(len(done.left_out), 'person', 'people')} without any other (named "
            "with --json)"
        )
    people = counted(done.users, "person", "people")
    before = f", {counted(done.before, 'file')} there before" * bool(done.before)
    typer.echo(f"{people} learned from {counted(done.ratings, 'rating')} by {adapter}{before}: {out}")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(epilog="Example: piaa fit-users ratings.parquet --vectors vectors/ --out forms/")(fit_users)
