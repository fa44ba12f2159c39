"""``piaa serve`` and ``piaa keys``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from piaa.commands.terminal import (
    AsJson,
    CacheOption,
    ModelOption,
    NoCache,
    cache_folder,
    note,
    print_json,
    reporting,
)

if TYPE_CHECKING:
    from piaa.store.keys import KeyStore

keys_app = typer.Typer(help="Who may use a server.", no_args_is_help=True)
Place = Annotated[
    str | None, typer.Option("--store", help="A SQLite file or a PostgreSQL URL; default: $PIAA_STORE.")
]
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@reporting
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on.", min=0, max=65535)] = 8000,
    store: Place = None,
    no_keys: Annotated[
        bool, typer.Option("--no-keys", help="Ask for no key; on a loopback address only.")
    ] = False,
    workers: Annotated[int, typer.Option(help="Processes.", min=1, max=64)] = 1,
    model: ModelOption = "piaa-lite",
    cache: CacheOption = None,
    no_cache: NoCache = False,
    max_body: Annotated[int, typer.Option(help="Largest request, in bytes.", min=1000)] = 64 * 2**20,
    max_pixels: Annotated[
        int, typer.Option("--max-pixels", help="Photos with more pixels are refused.", min=1)
    ] = 50_000_000,
    rate: Annotated[float, typer.Option(help="Requests a second and key.", min=0.1)] = 100.0,
) -> None:
    """Serve scores over HTTP until stopped."""
    import os
    import tempfile

    from generic.errors import PiaaError
    from piaa.server.settings import VARIABLE, ServeSettings

    if no_keys and host not in _LOOPBACK:
        raise PiaaError(
            f"--no-keys is for a loopback address such as 127.0.0.1, not for {host}; "
            "leave it out and make a key: piaa keys create --role admin"
        )
    folder = cache_folder(cache, no_cache)
    settings = ServeSettings(
        store=_place(store),
        model=model,
        cache=None if folder is None else str(folder),
        keys=not no_keys,
        max_body=max_body,
        max_pixels=max_pixels,
        rate=rate,
    )
    _check(settings.store, settings.model)
    os.environ[VARIABLE] = settings.to_json()
    if "OMP_WAIT_POLICY" not in os.environ:
        # The network's threads wait for each other some hundred times a call. By default they turn in a loop
        # for long, which takes the cores from the threads that decode and answer; to sleep at once makes
        # each of those waits longer. Read when torch is loaded.
        os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    if workers > 1 and "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        with tempfile.TemporaryDirectory(prefix="piaa-metrics-") as shared:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = shared
            _run(host, port, workers)
    else:
        _run(host, port, workers)


def _check(place: str, model: str) -> None:
    """What cannot work is said once, before any worker starts."""
    import piaa

    piaa.load_model(model, cache=False)
    _open(place).database.close()


def _run(host: str, port: int, workers: int) -> None:
    import uvicorn

    uvicorn.run(
        "piaa.server.app:from_environment",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        access_log=False,
        timeout_graceful_shutdown=30,
    )


def _place(store: str | None) -> str:
    import os

    from piaa.store.file import default_store_path

    given = store or os.environ.get("PIAA_STORE", "")
    return given if "://" in given else str(Path(given).expanduser() if given else default_store_path())


def _open(store: str | None) -> KeyStore:
    from piaa.store.database import StoreDatabase
    from piaa.store.keys import KeyStore

    return KeyStore(StoreDatabase(_place(store)))


@keys_app.command("create", epilog="Example: piaa keys create --role user --user ana")
@reporting
def keys_create(
    role: Annotated[str, typer.Option(help="'admin', or 'user' for one user alone.")],
    user: Annotated[str | None, typer.Option("--user", help="The user of a user's key.")] = None,
    store: Place = None,
    as_json: AsJson = False,
) -> None:
    """Make a key; its secret is shown this once."""
    from piaa.store.records import check_user

    if role not in ("admin", "user") or (role == "user") != (user is not None):
        raise typer.BadParameter("give --role admin, or --role user with --user NAME")
    if user is not None:
        check_user(user)
    keeper = _open(store)
    key, secret = keeper.create_key(role, user)
    keeper.database.close()
    if as_json:
        print_json({"id": key.id, "role": role, "user": user, "secret": secret})
        return
    note(f"key {key.id}: the secret is not kept, write it down now")
    typer.echo(secret)


@keys_app.command("list")
@reporting
def keys_list(store: Place = None, as_json: AsJson = False) -> None:
    """All keys, without their secrets."""
    keeper = _open(store)
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
def keys_revoke(key: Annotated[str, typer.Argument(help="The key's id.")], store: Place = None) -> None:
    """Refuse a key from now on."""
    keeper = _open(store)
    try:
        keeper.revoke(key)
    finally:
        keeper.database.close()
    typer.echo(f"revoked {key}")


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("serve", epilog="Example: piaa serve --store piaa.db --port 8000 --no-keys")(serve)
    app.add_typer(keys_app, name="keys")
