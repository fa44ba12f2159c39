"""Forms with as many fields as a request may have users: Starlette's own limit is 1,000."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette._utils import AwaitableOrContextManager
from starlette.datastructures import FormData

MOST_FIELDS = 20_000
"""Twice the most users, so that a few too many are told how many may be."""


class _WideRequest(Request):
    def form(
        self, *, max_files: int | float = 1000, max_fields: int | float = MOST_FIELDS, **options: Any
    ) -> AwaitableOrContextManager[FormData]:
        return super().form(max_files=max_files, max_fields=max_fields, **options)


class WideRoute(APIRoute):
    """A route whose forms may be long; the body's size is bounded by the gate."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's own, with such a request."""
        handle = super().get_route_handler()

        async def wide(request: Request) -> Response:
            return await handle(_WideRequest(request.scope, request.receive))

        return wide
