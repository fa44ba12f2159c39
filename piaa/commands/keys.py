"""``piaa keys``: who may use a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from piaa.commands.options import AsJson, StoreOption
from piaa.commands.terminal import note, print_json, reporting

if TYPE_CHECKING:
    from piaa.store.keys import Key, KeyStore

keys_app = typer.Typer(help="Who may use a server.", no_args_is_help=True)


def open_keys(store: str | None) -> KeyStore:
    """The keys in the server's store; close its database."""
    from piaa.store.keys import KeyStore
    from piaa.store.place import open_database

    return KeyStore(open_database(store))


@keys_app.command("create", epilog="Example: piaa keys create --role user --user ana")
@reporting
def keys_create(
    role: Annotated[
        str, typer.Option(help="'admin'; 'user', for one user alone; 'service', for all, with --scope.")
    ],
    user: Annotated[str | None, typer.Option("--user", help="The user of a user's key.")] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", help="score, rate, admin or metrics, more than once; default: the role's."),
    ] = None,
    label: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    expires: Annotated[
        str | None, typer.Option(help="When it ends: 90d, 12h, or 2027-01-31 (UTC); default: never.")
    ] = None,
    store: StoreOption = None,
    as_json: AsJson = False,
) -> None:
    """Make a key; its secret is shown this once."""
    from piaa.store.clock import until
    from piaa.store.keys import check_new

    check_new(role, user, scope or [], label)
    end = None if expires is None else until(expires)
    keeper = open_keys(store)
    key, secret = keeper.create_key(role, user, scopes=scope or [], label=label, expires=end)
    keeper.database.close()
    _tell(key, secret, as_json)


@keys_app.command("rotate", epilog="Example: piaa keys rotate 6f0a1b2c3d4e --keep-old 7d")
@reporting
def keys_rotate(
    key: Annotated[str, typer.Argument(help="The key's id.")],
    keep_old: Annotated[
        str | None,
        typer.Option(help="How long the old secret is valid: 12h, 7d, or 2027-01-31; default: no longer."),
    ] = None,
    store: StoreOption = None,
    as_json: AsJson = False,
) -> None:
    """Give a key a new secret, which is shown this once."""
    from piaa.store.clock import until

    old_until = None if keep_old is None else until(keep_old)
    keeper = open_keys(store)
    try:
        found, secret = keeper.rotate(key, old_until=old_until)
    finally:
        keeper.database.close()
    _tell(found, secret, as_json)


def _tell(key: Key, secret: str, as_json: bool) -> None:
    if as_json:
        print_json({**key.__dict__, "secret": secret})
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
        typer.echo(_line(key))


def _line(key: Key) -> str:
    whose = f"user {key.user}" if key.user else key.role
    facts = {
        "": key.label and f"{key.label!r}",
        "for": " ".join(key.scopes),
        "of": key.created,
        "last used": key.last_used,
        "expires": key.expires,
        "old secret until": key.old_until,
        "revoked": key.revoked,
    }
    told = [f"{name} {value}".strip() for name, value in facts.items() if value]
    return f"{key.id}: {whose}, {', '.join(told)}"


@keys_app.command("audit", epilog="Example: piaa keys audit -n 20")
@reporting
def keys_audit(
    n: Annotated[int, typer.Option("-n", min=1, help="How many of the last entries.")] = 100,
    store: StoreOption = None,
    as_json: AsJson = False,
) -> None:
    """Who did what: to keys, and what was withdrawn, erased, restored, calibrated, migrated."""
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
