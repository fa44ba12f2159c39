"""``piaa keys``: who may use a server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from piaa.commands.options import AsJson
from piaa.commands.terminal import note, print_json, reporting

if TYPE_CHECKING:
    from piaa.store.keys import KeyStore

keys_app = typer.Typer(help="Who may use a server.", no_args_is_help=True)
ServerStore = Annotated[
    str | None, typer.Option("--store", help="A SQLite file or a PostgreSQL URL; default: $PIAA_STORE.")
]


def server_store(store: str | None) -> str:
    """The server's store: a PostgreSQL URL as it stands, or the path of a SQLite file."""
    import os

    from piaa.store.file import default_store_path

    given = store or os.environ.get("PIAA_STORE", "")
    return given if "://" in given else str(Path(given).expanduser() if given else default_store_path())


def open_keys(store: str | None) -> KeyStore:
    """The keys in the server's store; close its database."""
    from piaa.store.database import StoreDatabase
    from piaa.store.keys import KeyStore

    return KeyStore(StoreDatabase(server_store(store)))


@keys_app.command("create", epilog="Example: piaa keys create --role user --user ana")
@reporting
def keys_create(
    role: Annotated[str, typer.Option(help="'admin', or 'user' for one user alone.")],
    user: Annotated[str | None, typer.Option("--user", help="The user of a user's key.")] = None,
    store: ServerStore = None,
    as_json: AsJson = False,
) -> None:
    """Make a key; its secret is shown this once."""
    from piaa.store.records import check_user

    if role not in ("admin", "user") or (role == "user") != (user is not None):
        raise typer.BadParameter("give --role admin, or --role user with --user NAME")
    if user is not None:
        check_user(user)
    keeper = open_keys(store)
    key, secret = keeper.create_key(role, user)
    keeper.database.close()
    if as_json:
        print_json({"id": key.id, "role": role, "user": user, "secret": secret})
        return
    note(f"key {key.id}: the secret is not kept, write it down now")
    typer.echo(secret)


@keys_app.command("list")
@reporting
def keys_list(store: ServerStore = None, as_json: AsJson = False) -> None:
    """All keys, without their secrets."""
    keeper = open_keys(store)
    keys = keeper.keys()
    keeper.database.close()
    if as_json:
        print_json([key.__dict__ for key in keys])
        return
    for key in keys:
        whose = f"user {key.user}" if key.user else "admin"
        typer.echo(f"{key.id}: {whose}, of {key.created}{f', revoked {key.revoked}' if key.revoked else ''}")


@keys_app.command("revoke")
@reporting
def keys_revoke(key: Annotated[str, typer.Argument(help="The key's id.")], store: ServerStore = None) -> None:
    """Refuse a key from now on."""
    keeper = open_keys(store)
    try:
        keeper.revoke(key)
    finally:
        keeper.database.close()
    typer.echo(f"revoked {key}")
