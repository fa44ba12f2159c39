"""What every request passes first: its key, its rate, its size and its time; nothing is read before."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from generic.errors import PiaaError
from piaa.server import logs, telemetry
from piaa.server.counts import SharedCounts
from piaa.server.described import OPEN
from piaa.server.presence import Presence
from piaa.server.problems import Problem, status_of, told
from piaa.server.settings import ServeSettings
from piaa.server.strangers import Strangers, refuse_ambiguous, refuse_foreign
from piaa.server.uses import Uses
from piaa.store.keys import SCOPES, KeyStore
from piaa.store.request_counts import SPAN_S

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_LOG = logging.getLogger(__name__)
_MOST_JSON = 4 * 2**20
"""Bytes of a body that is not in parts, as photos come: it is parsed at once, and the others wait meanwhile.
The names of as many users as a request may have fit into it."""
_WENT_AWAY = 499
"""What the log says of a client that did not wait for the answer; it is sent to nobody."""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who asks."""

    key: str = ""
    """The key's id; empty if no key is asked for."""
    scopes: tuple[str, ...] = SCOPES
    """What the key is for."""
    user: str | None = None
    """The one user that the key is for; None is everybody."""
    address: str = ""
    """Where the request comes from."""

    @property
    def who(self) -> str:
        """What the audit calls the caller."""
        return self.key or "http"

    @property
    def turn(self) -> str:
        """Whose turn this is where requests wait for each other."""
        return self.key or self.address

    def check(self, *scopes: str) -> None:
        """Raises Problem unless the caller's key has one of these scopes.

        Raises:
            Problem: 403.
        """
        if not any(one in self.scopes for one in scopes):
            raise Problem(
                403,
                f"this needs a key with the scope {' or '.join(scopes)}, and this one has "
                f"{', '.join(self.scopes)}; see: piaa keys create",
            )

    def check_user(self, user: str, scope: str) -> None:
        """Raises Problem unless the caller may do this for this user.

        Raises:
            Problem: 403. It does not say whether there is such a user.
        """
        self.check(scope)
        if self.user not in (None, user):
            raise Problem(403, "this key is for another user; use that user's key or an admin's")


def media_type(scope: Scope) -> bytes:
    """What a request's body is, in small letters; empty if nothing says so."""
    kind: bytes = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    return kind.partition(b";")[0].strip().lower()


class Gate:
    """ASGI middleware.

    Args:
        app: what lies behind.
        keys: which keys there are.
        counts: of requests, and of wrong keys.
        settings: the server's limits.
    """

    def __init__(self, app: ASGIApp, keys: KeyStore, counts: SharedCounts, settings: ServeSettings) -> None:
        self._app, self._keys, self._settings = app, keys, settings
        self._counts, self._strangers, self._uses = counts, Strangers(counts), Uses(keys)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status, presence = time.perf_counter(), 500, Presence(receive)
        request = logs.begin(scope)

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                presence.answered = True
                message = logs.marked(message, request)
            await send(message)

        try:
            try:
                refuse_ambiguous(scope)
                if not self._settings.keys:
                    refuse_foreign(scope)
                if scope["path"] not in OPEN:
                    await self._admit(scope)
                await self._app(scope, self._limited(scope, presence), noting)
            except Problem as problem:
                await problem.response()(scope, receive, noting)
            except PiaaError as error:
                status, text = status_of(error), told(error, self._keys.database.name)
                answer = Problem(status, text, retry_after_s=1 if status == 503 else None)
                await answer.response()(scope, receive, noting)
            except asyncio.CancelledError:
                if not presence.gone:
                    raise
                status = _WENT_AWAY
        finally:
            presence.end()
            self._note(scope, status, time.perf_counter() - started)

    async def _admit(self, scope: Scope) -> None:
        address = (scope.get("client") or ("",))[0]
        caller = Caller(address=address)
        if self._settings.keys:
            caller = await self._caller(dict(scope["headers"]).get(b"authorization", b""), address)
        scope.setdefault("state", {})["caller"] = caller  # before it may be refused: the log names its key
        self._check_rate(caller.key)

    async def _caller(self, header: bytes, address: str) -> Caller:
        kind, _, secret = header.decode("latin-1").partition(" ")
        if kind.lower() != "bearer" or not secret:
            raise Problem(401, "no key was sent; send the header 'Authorization: Bearer KEY'")
        secret = secret.strip()
        self._strangers.check(address, secret)
        key = await asyncio.to_thread(self._keys.key_of, secret)
        self._strangers.note(address, secret, known=key is not None)
        if key is None:
            raise Problem(
                401, "this key is unknown, was revoked or has expired; make one with: piaa keys create"
            )
        self._uses.note(key)
        return Caller(key=key.id, scopes=key.scopes, user=key.user, address=address)

    def _check_rate(self, key: str) -> None:
        """So many requests in ten seconds, to whichever server."""
        rate, who = self._settings.rate, f"key {key}"
        if self._counts.within(who) + 1 > rate * SPAN_S:
            raise Problem(
                429,
                f"this key sent more than {rate:g} requests a second; slow down and try again",
                retry_after_s=max(1, round(1 / rate)),
            )
        self._counts.add(who)

    def _limited(self, scope: Scope, presence: Presence) -> Receive:
        """``receive`` that counts bytes and does not wait for ever, however little comes at a time."""
        limit, cure, got, started = self._settings.max_body, "send fewer images", 0, time.monotonic()
        if media_type(scope) != b"multipart/form-data":
            limit, cure = min(limit, _MOST_JSON), "send several requests"
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > limit:
            raise Problem(413, f"the body is {int(declared)} bytes, at most {limit} may be; {cure}")

        async def limited() -> Message:
            nonlocal got
            if presence.complete:
                return await presence.receive()
            allowed = self._settings.body_timeout_s + got / self._settings.body_rate
            try:
                message = await asyncio.wait_for(presence.receive(), allowed - (time.monotonic() - started))
            except TimeoutError:
                raise Problem(
                    408, f"of the body {got} bytes came in {allowed:.0f} s; send it again, sooner"
                ) from None
            got += len(message.get("body", b""))
            if got > limit:
                raise Problem(413, f"the body is above {limit} bytes; {cure}")
            if not message.get("more_body", False):
                presence.watch()
            return message

        return limited

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        # The route's pattern and not the path: names of people belong in neither log nor metrics.
        route = getattr(scope.get("route"), "path", "none")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        telemetry.REQUESTS.labels(method, route, str(status)).observe(seconds)
        facts = {"method": method, "route": route, "status": status, "ms": round(seconds * 1000, 1)}
        caller = scope.get("state", {}).get("caller")
        key = {"key": caller.key} if caller is not None and caller.key else {}
        _LOG.info("", extra={"facts": {**facts, **key, "address": (scope.get("client") or ("",))[0]}})
