"""``piaa rank``: the best photos of many people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from generic.words import counted
from piaa.commands.options import AsJson, ModelOption
from piaa.commands.progress import listing, stopping
from piaa.commands.terminal import print_json, reporting


@reporting
def rank(
    vectors: Annotated[str, typer.Option(help="Folder or URL of piaa embed's --out.")],
    users: Annotated[str, typer.Option(help="Folder or URL of piaa fit-users' --out.")],
    out: Annotated[str, typer.Option(help="Folder or URL that takes a table for each file of users.")],
    top: Annotated[int, typer.Option(min=1, help="So many photos of each person.")] = 100,
    candidates: Annotated[
        Path | None, typer.Option(help="Parquet, a file or a folder: user, image; only these photos of each.")
    ] = None,
    per_burst: Annotated[
        int | None, typer.Option(min=1, help="At most so many photos of one scene for each person.")
    ] = None,
    model: ModelOption = "piaa-lite",
    memory: Annotated[int, typer.Option(min=1, help="For people and their best photos, in MiB.")] = 1024,
    as_json: AsJson = False,
) -> None:
    """Rank all photos for everybody, exactly, by what is linear in what was learned."""
    import piaa
    from generic.extras import require
    from piaa.cluster.candidates import Candidates
    from piaa.cluster.folder import Folder
    from piaa.cluster.rank import Asked
    from piaa.cluster.rank import rank as rank_all

    require("piaa rank", "pyarrow")
    with (
        stopping("the files of users done so far stay: the same command goes on"),
        listing("users") as advance,
    ):
        asked = Asked(
            top=top,
            memory=memory,
            candidates=None if candidates is None else Candidates(candidates),
            of_burst=per_burst,
            model=None if per_burst is None else piaa.load_model(model, cache=False),
        )
        done = rank_all(Folder(vectors), Folder(users), Folder(out), asked, advance)
    if as_json:
        print_json({**done.__dict__, "top": top, "out": out})
        return
    before = f", {counted(done.before, 'file')} there before" if done.before else ""
    typer.echo(f"{counted(done.users, 'person', 'people')}, {counted(done.photos, 'photo')}{before}: {out}")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(epilog="Example: piaa rank --vectors vectors/ --users forms/ --top 100 --out best/")(rank)
