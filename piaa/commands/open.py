"""``piaa open``: the photographer's page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from generic.words import counted
from piaa.commands import options
from piaa.commands.album import passed_over
from piaa.commands.terminal import note, reporting

if TYPE_CHECKING:
    import socket
    from types import FrameType

    from fastapi import FastAPI

    from piaa.page.news import News
    from piaa.page.page_state import PageState


@reporting
def open_(
    photos: Annotated[Path, typer.Argument(help="A folder of photos, searched with its subfolders.")],
    user: Annotated[str, typer.Option("--user", "-u", help="Who rates; others can be chosen there.")] = "me",
    port: Annotated[
        int, typer.Option(help="The port on this computer; 0 takes a free one.", min=0, max=65535)
    ] = 0,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the address, and open nothing.")
    ] = False,
    model: options.ModelOption = "piaa-lite",
    store: options.StoreOption = None,
    cache: options.CacheOption = None,
    no_cache: options.NoCache = False,
    max_pixels: options.MaxPixels = None,
) -> None:
    """Look at photos in the browser: rate, compare and cull them; their order learns from each answer."""
    from piaa.page.app import create_app
    from piaa.page.gate import new_token
    from piaa.page.page_state import open_page
    from piaa.store.records import check_user

    check_user(user)
    chosen = options.open_model(model, cache, no_cache, max_pixels)
    with _listen(port) as listening:
        port = listening.getsockname()[1]
        state = open_page(photos, chosen, user=user, store=store)
        token = new_token()
        _say(state, address := f"http://127.0.0.1:{port}/?token={token}")
        if not no_browser:
            import webbrowser

            webbrowser.open(address)
        _serve(create_app(state, token, port), listening, state.news)


def _listen(port: int) -> socket.socket:
    """A socket on the loopback address, before anything else is opened.

    Raises:
        PiaaError: somebody else has the port.
    """
    import os
    import socket

    from generic.errors import PiaaError

    listening = socket.socket()
    if os.name == "posix":  # elsewhere it would let two programs have one port
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
        listening.listen(128)  # the browser may come before the page is ready, and waits
    except OSError as error:
        listening.close()
        raise PiaaError(
            f"port {port} cannot be listened on: {error.strerror}; give another --port, or leave it out"
        ) from None
    return listening


def _say(state: PageState, address: str) -> None:
    album = state.album
    if album.others:
        note(passed_over(album.others))
    if album.n_outside:
        note(f"{counted(album.n_outside, 'link')} out of the folder not followed")
    photos = counted(len(album), "photo")
    note(f"{photos}; nothing leaves this computer, each answer is kept at once, Ctrl-C stops")
    typer.echo(address)


def _serve(app: FastAPI, listening: socket.socket, news: News) -> None:
    import uvicorn

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            news.close()  # a browser that waits for news would hold up the end, and be named an error
            super().handle_exit(sig, frame)

    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=2)
    Server(config).run(sockets=[listening])


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("open", epilog="Example: piaa open ~/Pictures/summer --user ana")(open_)
