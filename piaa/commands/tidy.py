"""``piaa tidy``: a store keeps what is needed, as a server has it do by itself."""

from __future__ import annotations

from typing import Annotated

import typer

from generic.words import counted
from piaa.commands.options import AsJson, StoreOption
from piaa.commands.terminal import print_json, reporting


@reporting
def tidy(
    keep_versions: Annotated[
        int, typer.Option(help="Newest versions of each person, beside those that count; 0: all.", min=0)
    ] = 5,
    keep_jobs: Annotated[int, typer.Option(help="Days that fits which ended are kept; 0: all.", min=0)] = 30,
    store: StoreOption = None,
    as_json: AsJson = False,
) -> None:
    """Remove old versions, fits that ended long ago, and photos sent to servers long ago."""
    from generic.errors import StoreError
    from piaa.store.place import open_database
    from piaa.store.tidying import Retention, TidyStore

    database = open_database(store)
    if not database.exists():
        raise StoreError(f"there is no store {database.name!r} to tidy; name another one with --store")
    gone = TidyStore(database).tidy(Retention(versions=keep_versions, job_days=keep_jobs))
    database.close()
    if as_json:
        print_json({**gone.__dict__, "store": database.name})
        return
    typer.echo(
        f"{database.name}: {counted(gone.n_versions, 'version')}, {counted(gone.n_jobs, 'fit')} that ended, "
        f"{counted(gone.n_sent, 'row')} of photos sent removed; {counted(gone.n_forms, 'linear form')} of "
        "versions that do not count dropped"
    )


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(epilog="Example: piaa tidy --keep-versions 3 --store piaa.db")(tidy)
