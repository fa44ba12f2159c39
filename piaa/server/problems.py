"""Errors as RFC 9457 describes them: ``application/problem+json`` with what was wrong and the cure."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from generic.errors import (
    ImageError,
    ModelMismatch,
    PiaaError,
    RatingsError,
    StoreError,
    StoreUnavailable,
    UnknownUser,
)
from piaa.store.quotas import OverQuota

_LOG = logging.getLogger(__name__)
_TITLES = {
    400: "The request is not in order",
    401: "A key is needed",
    403: "The key does not allow this",
    404: "There is no such thing here",
    405: "The method is not allowed here",
    408: "The body did not arrive",
    409: "This does not fit what is stored",
    413: "The request is too large",
    422: "The request is not in order",
    429: "Too many requests",
    501: "This server does not do that",
    503: "The server cannot do this now",
}
_STATUS: dict[type, int] = {
    PiaaError: 400,
    ImageError: 422,
    RatingsError: 422,
    StoreError: 422,
    StoreUnavailable: 503,
    UnknownUser: 404,
    ModelMismatch: 409,
    OverQuota: 409,
}


class Problem(Exception):
    """An answer that is an error.

    Args:
        status: the HTTP status.
        detail: one line: what was wrong, what was expected, what to do.
        retry_after_s: when to try again, in seconds.
        more: further members of the answer.
    """

    def __init__(self, status: int, detail: str, *, retry_after_s: int | None = None, **more: object) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.more = more

    def response(self) -> JSONResponse:
        """The answer."""
        headers = {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return problem(self.status, self.detail, headers, **self.more)


def problem(
    status: int, detail: str, headers: Mapping[str, str] | None = None, **more: object
) -> JSONResponse:
    """A problem as a response."""
    title = _TITLES.get(status, "The request failed")
    content: dict[str, Any] = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        **more,
    }
    return JSONResponse(content, status, headers, media_type="application/problem+json")


def status_of(error: PiaaError) -> int:
    """The HTTP status that an error of ours means: that of the nearest class in ``_STATUS``."""
    return next(_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS)


def told(error: PiaaError, store: str) -> str:
    """What a caller is told of an error: where the store lies, and who else is in it, is for the log alone.

    Args:
        error: whose own line is for whoever runs the server.
        store: what the store's errors call it.
    """
    if isinstance(error, StoreUnavailable):  # a database's own words may name hosts
        text = "the store cannot be used at this moment; try again later"
    elif isinstance(error, UnknownUser):
        text = "there is no such user; rate some photos for the user first"
    else:
        text = _without_place(str(error), store)
    if text != str(error):
        _LOG.warning("a caller was told %r of this: %s", text, error)
    return text


def _without_place(text: str, store: str) -> str:
    text = re.sub(rf" --store '?{re.escape(store)}'?", "", text)
    text = text.replace(f" in store {store!r}", "").replace(f"store {store!r}", "the store")
    if "/" not in store and os.sep not in store:  # a name without a folder might be any word
        return text
    return text.replace(f"store {store}", "the store").replace(store, "the store")


def add_to(app: FastAPI, store: str) -> None:
    """Answer every error as a problem.

    Args:
        app: whose errors.
        store: what the store's errors call it.
    """

    @app.exception_handler(Problem)
    async def ours(request: Request, error: Problem) -> JSONResponse:  # noqa: ARG001
        return error.response()

    @app.exception_handler(UnknownUser)
    async def unknown(request: Request, error: UnknownUser) -> JSONResponse:
        user = request.path_params.get("id")
        if user is None:
            return problem(404, told(error, store))
        return problem(404, f"there is no user {user!r}; rate some photos for the user first")

    @app.exception_handler(PiaaError)
    async def toolkit(request: Request, error: PiaaError) -> JSONResponse:  # noqa: ARG001
        status = status_of(error)
        retry = 1 if status == 503 else None
        return Problem(status, told(error, store), retry_after_s=retry).response()

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:  # noqa: ARG001
        faults = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        return problem(422, f"{'; '.join(faults)[:1000]}; see /docs for what is expected")

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        # FastAPI turns whatever happens while it reads a body into its own error.
        if isinstance(error.__cause__, Problem):
            return error.__cause__.response()
        # Of several routes of one path Starlette names the methods of the first alone.
        there = _methods_at(app, request.url.path) if error.status_code == 405 else ""
        headers = {**(error.headers or {}), **({"Allow": there} if there else {})}
        return problem(error.status_code, f"{error.detail}; see /docs for what there is", headers)

    @app.exception_handler(Exception)
    async def fault(request: Request, error: Exception) -> JSONResponse:  # noqa: ARG001  (the log has it)
        return problem(500, "an error of piaa's own; whoever runs the server finds it in its log")


def _methods_at(app: FastAPI, path: str) -> str:
    """All methods that a path has, as far as the description knows it."""
    found = [
        methods for pattern, methods in app.openapi()["paths"].items() if compile_path(pattern)[0].match(path)
    ]
    return ", ".join(sorted({method.upper() for methods in found for method in methods}))
