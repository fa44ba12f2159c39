"""The page's application: what is behind which path. Everything of importance lies in the other modules."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response

from generic.errors import PiaaError
from generic.threads import one_blas_thread
from piaa.page import answer_routes, look_routes, save_routes
from piaa.page.gate import Gate, TooLong
from piaa.page.page_state import PageState
from piaa.ratings.spelling import escaped

ASSETS = Path(__file__).with_name("assets")
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def create_app(state: PageState, token: str, port: int) -> FastAPI:
    """The application of an open page.

    Args:
        state: what it shows; started and stopped with the application.
        token: the secret of its address.
        port: that it is listened to on.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:  # noqa: ARG001
        with one_blas_thread():
            state.start()
            yield
            state.stop()

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.page = state
    _add_assets(app, state)
    _add_problems(app)
    for routes in (look_routes, answer_routes, save_routes):
        app.include_router(routes.router)
    app.add_middleware(Gate, token=token, port=port)
    return app


def _add_assets(app: FastAPI, state: PageState) -> None:
    index = _rendered(state)

    @app.get("/", response_class=HTMLResponse)
    def page() -> str:
        return index()

    @app.get("/static/{name}")
    def static(name: str) -> Response:
        known = {path.name: path for path in ASSETS.iterdir() if path.suffix in _TYPES}
        if name not in known:
            return JSONResponse({"error": "there is no such file"}, 404)
        return Response(known[name].read_bytes(), media_type=_TYPES[known[name].suffix])


def _rendered(state: PageState) -> Callable[[], str]:
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(loader=FileSystemLoader(ASSETS), autoescape=True)
    facts: dict[str, Any] = {"title": escaped(state.album.root.name) or "photos", "user": state.user}
    return lambda: environment.get_template("page.html").render(facts)


def _add_problems(app: FastAPI) -> None:
    """Every error is one line that the page shows as it stands."""

    @app.exception_handler(PiaaError)
    async def ours(request: Request, error: PiaaError) -> JSONResponse:  # noqa: ARG001
        return JSONResponse({"error": str(error)}, 400)

    @app.exception_handler(TooLong)
    async def too_long(request: Request, error: TooLong) -> JSONResponse:  # noqa: ARG001
        return JSONResponse({"error": str(error)}, 413)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:  # noqa: ARG001
        faults = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        return JSONResponse({"error": "; ".join(faults)[:500]}, 422)
