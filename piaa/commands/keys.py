"""``piaa keys``: who may use a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from piaa.commands.options import AsJson, StoreOption
from piaa.commands.terminal import note, print_json, reporting

if TYPE_CHECKING:
    from piaa.store.keys import KeyStore

keys_app = typer.Typer(help="Who may use a server.", no_args_is_help=True)


def open_keys(store: str | None) -> KeyStore:
    """The keys in the server's store; close its database."""
    from piaa.store.keys import KeyStore
    from piaa.store.place import open_database

    return KeyStore(open_database(store))


@keys_app.command("create", epilog="Example: piaa keys create --role user --user ana")
@reporting
def keys_create(
    role: Annotated[str, typer.Option(help="'admin', or 'user' for one user alone.")],
    user: Annotated[str | None, typer.Option("--user", help="The user of a user's key.")] = None,
    store: StoreOption = None,
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
def keys_list(store: StoreOption = None, as_json: AsJson = False) -> None:
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


@keys_app.command("audit", epilog="Example: piaa keys audit -n 20")
@reporting
def keys_audit(
    n: Annotated[int, typer.Option("-n", min=1, help="How many of the last entries.")] = 100,
    store: StoreOption = None,
    as_json: AsJson = False,
) -> None:
    """Who made and revoked keys, and who withdrew, erased or restored what."""
    from piaa.store.audit import entries

    keeper = open_keys(store)
    with keeper.database.reading() as sql:
        found = entries(sql, n)
    keeper.database.close()
    if as_json:
        print_json([one.__dict__ for one in found])
        return
    for one in found:
        typer.echo(f"{one.at}  {one.who:<12} {one.what}{f'  {one.user}' if one.user else ''}")


@keys_app.command("revoke")
@reporting
def keys_revoke(key: Annotated[str, typer.Argument(help="The key's id.")], store: StoreOption = None) -> None:
    """Refuse a key from now on."""
    keeper = open_keys(store)
    try:
        keeper.revoke(key)
    finally:
        keeper.database.close()
    typer.echo(f"revoked {key}")
