"""Scores of photos seen before, asked for in JSON: the answer is there before a form would have been read."""

from __future__ import annotations

from types import SimpleNamespace

from fastapi import Response
from pydantic import ValidationError
from pydantic_core import to_json
from starlette.types import ASGIApp, Receive, Scope, Send

from piaa.server.gate import media_type
from piaa.server.problems import Problem
from piaa.server.schemas import Asked
from piaa.server.scoring import answer
from piaa.server.services import Services

_ROUTE = SimpleNamespace(path="/v1/score")
_MOST_FAULTS = 100
"""That are described: of a body that is nothing but faults it would take seconds."""


class Quick:
    """ASGI middleware behind the gate, which answers the errors.

    Args:
        app: what lies behind, for everything else.
        services: the server's parts.
    """

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app, self._services = app, services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] != _ROUTE.path or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        if media_type(scope) != b"application/json":
            await self._app(scope, receive, send)
            return
        scope["route"] = _ROUTE
        asked = _parsed(await _body(receive))
        found = await answer(self._services, scope["state"]["caller"], asked)
        await Response(to_json(found), media_type="application/json")(scope, receive, send)


async def _body(receive: Receive) -> bytes:
    body, more = bytearray(), True  # bytes would be copied with every piece
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(body)


def _parsed(body: bytes) -> Asked:
    try:
        return Asked.model_validate_json(body)
    except ValidationError as error:
        if error.error_count() > _MOST_FAULTS:
            raise Problem(
                422, f"the body has {error.error_count()} faults; see /docs for what is expected"
            ) from None
        faults = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        raise Problem(422, f"{'; '.join(faults)[:1000]}; see /docs for what is expected") from None
