"""``piaa serve``: scores over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from piaa.commands.keys import open_keys
from piaa.commands.options import CacheOption, ModelOption, NoCache, StoreOption, cache_folder
from piaa.commands.terminal import reporting

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@reporting
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on.", min=0, max=65535)] = 8000,
    store: StoreOption = None,
    no_keys: Annotated[
        bool, typer.Option("--no-keys", help="Ask for no key; on a loopback address only.")
    ] = False,
    workers: Annotated[int, typer.Option(help="Processes.", min=1, max=64)] = 1,
    model: ModelOption = "piaa-lite",
    before: Annotated[
        str | None,
        typer.Option(help="The model of before, for people who are not yet learned under --model."),
    ] = None,
    calibrations: Annotated[
        Path | None,
        typer.Option(help="Folder of models that POST /v1/calibration makes of people's ratings."),
    ] = None,
    plain: Annotated[
        str | None, typer.Option(help="The model that these begin with, where --model is one of them.")
    ] = None,
    cache: CacheOption = None,
    no_cache: NoCache = False,
    share_vectors: Annotated[
        int,
        typer.Option(
            help="Bytes of vectors of photos sent that servers share through the store; 0: none.", min=0
        ),
    ] = 2**30,
    keep_versions: Annotated[
        int, typer.Option(help="Newest versions of each user, beside those that count; 0: all.", min=0)
    ] = 5,
    keep_jobs: Annotated[int, typer.Option(help="Days that fits which ended are kept; 0: all.", min=0)] = 30,
    max_user_photos: Annotated[
        int, typer.Option(help="Photos of which one user may say anything; 0: any number.", min=0)
    ] = 0,
    max_user_ratings: Annotated[
        int,
        typer.Option(help="Ratings, comparisons, flags of one user, with history; 0: any number.", min=0),
    ] = 0,
    max_user_bytes: Annotated[
        int, typer.Option(help="Bytes that one user may take of the store; 0: any number.", min=0)
    ] = 0,
    max_body: Annotated[int, typer.Option(help="Largest request, in bytes.", min=1000)] = 64 * 2**20,
    max_pixels: Annotated[
        int, typer.Option("--max-pixels", help="Photos with more pixels are refused.", min=1)
    ] = 50_000_000,
    photo_seconds: Annotated[
        int, typer.Option("--photo-seconds", help="Computing that decoding one photo may take.", min=1)
    ] = 10,
    photo_memory: Annotated[
        int, typer.Option("--photo-memory", help="Bytes that decoding one photo may take.", min=10**7)
    ] = 2**30,
    rate: Annotated[float, typer.Option(help="Requests a second and key.", min=0.1)] = 100.0,
    fit_seconds: Annotated[
        int, typer.Option("--fit-seconds", help="Computing that one fit may take.", min=1)
    ] = 300,
    max_connections: Annotated[int, typer.Option(help="Connections of one process.", min=16)] = 4000,
    max_per_address: Annotated[
        int, typer.Option(help="Connections from one address; a proxy is one.", min=1)
    ] = 1000,
    head_timeout: Annotated[float, typer.Option(help="Seconds for the head of a request.", min=0.1)] = 10.0,
    body_timeout: Annotated[
        float, typer.Option(help="Seconds for its body, and one more for every 50 kB.", min=0.1)
    ] = 30.0,
    grace: Annotated[
        int, typer.Option(help="Seconds that requests in flight have to end when it is stopped.", min=1)
    ] = 30,
) -> None:
    """Serve scores over HTTP until stopped."""
    import os
    import sys
    import tempfile

    from generic.errors import PiaaError
    from generic.extras import require
    from piaa.server.settings import VARIABLE, ServeSettings
    from piaa.store.place import place_of

    if sys.platform == "win32":  # whose processes read from no socket, and have no such limits
        raise PiaaError(
            "piaa serve runs on Linux and macOS, not on Windows; run it in WSL or a container, or rate and "
            "cull on this computer with: piaa open PHOTOS"
        )
    require("piaa serve", "prometheus_client")  # which the server's own processes would miss, late
    if no_keys and host not in _LOOPBACK:
        raise PiaaError(
            f"--no-keys is for a loopback address such as 127.0.0.1, not for {host}; "
            "leave it out and make a key: piaa keys create --role admin"
        )
    folder = cache_folder(cache, no_cache)
    settings = ServeSettings(
        store=place_of(store),
        model=model,
        before=before,
        plain=plain,
        calibrations=None if calibrations is None else str(calibrations),
        cache=None if folder is None else str(folder),
        share_vectors=share_vectors,
        keep_versions=keep_versions,
        keep_jobs=keep_jobs,
        max_user_photos=max_user_photos,
        max_user_ratings=max_user_ratings,
        max_user_bytes=max_user_bytes,
        workers=workers,
        keys=not no_keys,
        max_body=max_body,
        max_pixels=max_pixels,
        photo_seconds=photo_seconds,
        photo_memory=photo_memory,
        fit_seconds=fit_seconds,
        rate=rate,
        max_connections=max_connections,
        max_per_address=max_per_address,
        head_timeout_s=head_timeout,
        body_timeout_s=body_timeout,
    )
    _check(settings.store, settings.model, before)
    os.environ[VARIABLE] = settings.to_json()
    if "OMP_WAIT_POLICY" not in os.environ:
        # The network's threads wait for each other some hundred times a call. By default they turn in a loop
        # for long, which takes the cores from the threads that decode and answer; to sleep at once makes
        # each of those waits longer. Read when torch is loaded.
        os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    if workers > 1 and "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        with tempfile.TemporaryDirectory(prefix="piaa-metrics-") as shared:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = shared
            _run(host, port, workers, grace)
    else:
        _run(host, port, workers, grace)


def _check(place: str, model: str, before: str | None) -> None:
    """What cannot work is said once, before any worker starts."""
    import piaa
    from generic.errors import PiaaError

    now = piaa.load_model(model, cache=False).generic
    if before is not None and piaa.load_model(before, cache=False).generic.hash == now.hash:
        raise PiaaError(f"--before {before} is the same model as --model {model}; name the earlier one")
    keys = open_keys(place)
    with keys.database.writing():
        pass  # made, or migrated, before any worker starts
    keys.database.close()


def _run(host: str, port: int, workers: int, grace: int) -> None:
    import uvicorn

    from piaa.server import logs
    from piaa.server.connections import Connection, room

    _, backlog = room(0)
    uvicorn.run(
        "piaa.server.app:from_environment",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        access_log=False,
        log_config=logs.config(),
        server_header=False,  # which program answers is for nobody to know
        http=Connection,
        ws="none",
        backlog=backlog,
        timeout_graceful_shutdown=grace,
    )


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(epilog="Example: piaa serve --store piaa.db --port 8000 --no-keys")(serve)
