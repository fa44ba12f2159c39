"""``piaa backup`` and ``piaa restore``: the whole store in one file, while it is in use."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from generic.words import counted
from piaa.commands.options import AsJson, StoreOption
from piaa.commands.terminal import note, print_json, reporting


@reporting
def backup(
    out: Annotated[Path, typer.Argument(help="The file to write.")],
    store: StoreOption = None,
    as_json: AsJson = False,
) -> None:
    """Copy the whole store to one file, while terminals and servers go on using it."""
    from piaa.store.backup import back_up
    from piaa.store.place import open_database

    database = open_database(store)
    found = back_up(database, out)
    database.close()
    if as_json:
        print_json({**found.__dict__, "store": database.name, "backup": str(out)})
        return
    typer.echo(
        f"{out}: {counted(found.n_users, 'user')}, {counted(found.n_ratings, 'rating')}, "
        f"{counted(found.n_versions, 'version')} of {database.name}"
    )


@reporting
def restore(
    file: Annotated[Path, typer.Argument(help="A file that `piaa backup` wrote.")],
    store: StoreOption = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Do not ask whether to replace what the store holds.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Put what a backup holds in the place of the store, which a file keeps a copy of."""
    from generic.errors import StoreError
    from piaa.store.backup import contents, restore_from
    from piaa.store.place import open_database

    database = open_database(store)
    if database.exists() and not replace:
        with database.reading() as sql:
            there = contents(sql)
        holds = f"{counted(there.n_users, 'user')} and {counted(there.n_ratings, 'rating')}"
        if there.n_users and not sys.stdin.isatty():
            raise StoreError(
                f"store {database.name!r} holds {holds}; pass --replace to put the backup in its place"
            )
        if there.n_users:
            typer.confirm(f"Replace {database.name}, which holds {holds}?", abort=True, err=True)
    found, kept = restore_from(file, database)
    database.close()
    if as_json:
        print_json(
            {
                **found.__dict__,
                "store": database.name,
                "backup": str(file),
                "kept": None if kept is None else str(kept),
            }
        )
        return
    if kept is not None:
        note(f"what the store held before is kept in {kept}")
    typer.echo(
        f"{database.name}: {counted(found.n_users, 'user')}, {counted(found.n_ratings, 'rating')}, "
        f"{counted(found.n_versions, 'version')} from {file}"
    )


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(epilog="Example: piaa backup piaa-today.db")(backup)
    app.command(epilog="Example: piaa restore piaa-today.db --replace")(restore)
