"""What every request passes first: nobody but the browser that was opened gets anything.

Other pages in the same browser reach this address too: their requests carry another Origin, or are of a kind
that no form and no script of theirs can send; a name of theirs that leads here is a foreign Host.

The token of the opened address lies in the sight of `ps` and of a browser's history, so it lets in one
browser alone: whoever brings it gets a cookie made for this answer, and with the first such cookie that comes
back the token and all other cookies are worth nothing. Not with the answer itself, which a browser may lose
on the way, or may fetch ahead and throw away. Should somebody else have been quicker, the person is refused
and told so, instead of sharing the page. A browser sends the cookie to other ports of this computer too, so
whoever may listen on one is trusted.
"""

from __future__ import annotations

import hmac
import secrets
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 1 << 20
"""Of a request's body."""
_SAFE = {"GET", "HEAD"}
_USUAL = 80
"""The port of http."""
_MOST_OFFERED = 20
_UNKNOWN = "open the address that piaa open printed; this one is not known, or piaa was started again"
_USED = (
    "this address was opened already, and lets in one browser alone; go on there, or stop piaa open with "
    "Ctrl-C and start it again: nothing is lost. If it was not you who opened it, somebody else on this "
    "computer did"
)
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def new_token() -> str:
    """A secret that nobody guesses."""
    return secrets.token_urlsafe(32)


class Gate:
    """ASGI middleware.

    Args:
        app: what lies behind.
        token: the secret of the address that is opened.
        port: that is listened on.
    """

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self._app, self._token = app, token
        self._offered: list[str] = []  # cookies, none of which came back yet
        self._let_in: str | None = None  # the one that did
        self.cookie = f"piaa-{port}"  # cookies know no ports: two pages would take each other's
        names = ("127.0.0.1", "localhost")
        self._hosts = {f"{name}:{port}" for name in names}
        if port == _USUAL:  # a browser does not say it
            self._hosts |= set(names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        has_cookie = self._has_cookie(headers)
        by_token = not has_cookie and self._let_in is None and self._brings_token(scope)
        refusal = self._refusal(scope, headers, is_known=has_cookie or by_token)
        if refusal is not None:
            await refusal(scope, receive, self._with_headers(send))
            return
        cookie = self._offer() if by_token else None
        await self._app(scope, _limited(receive), self._with_headers(send, cookie))

    def _offer(self) -> str:
        self._offered = [*self._offered[-_MOST_OFFERED:], secrets.token_urlsafe(32)]
        return self._offered[-1]

    def _brings_token(self, scope: Scope) -> bool:
        if scope["path"] != "/" or scope["method"] != "GET":
            return False
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        return hmac.compare_digest(given.encode(), self._token.encode())

    def _refusal(self, scope: Scope, headers: Headers, *, is_known: bool) -> Response | None:
        method = scope["method"]
        if headers.get("host", "") not in self._hosts:
            return _refused(
                421, "this page answers to its own address only; use the one that piaa open printed"
            )
        origin = headers.get("origin")
        own = {f"http://{host}" for host in self._hosts}
        if origin is not None and origin not in own:
            return _refused(403, "another page asked; nothing was done")
        by_token = self._brings_token(scope)  # a link may lead to the address, from a mail as from a terminal
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none") and not by_token:
            return _refused(403, "another page asked; nothing was done")
        if method not in _SAFE and (origin is None or not _is_json(headers)):
            return _refused(403, "changes are taken from the page itself, as JSON; nothing was done")
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > MOST_BYTES:
            return _refused(413, f"the request is larger than {MOST_BYTES} bytes; nothing was done")
        if is_known:
            return None
        return _refused(403, _USED if by_token else _UNKNOWN)

    def _has_cookie(self, headers: Headers) -> bool:
        """Whether it is the browser that was let in; the first that comes back with a cookie is."""
        given = [
            value.encode()
            for line in headers.getlist("cookie")
            for name, _, value in (part.strip().partition("=") for part in line.split(";"))
            if name == self.cookie
        ]
        good = self._offered if self._let_in is None else [self._let_in]
        for cookie in good:
            if any(hmac.compare_digest(value, cookie.encode()) for value in given):
                self._let_in = cookie
                return True
        return False

    def _with_headers(self, send: Send, offered: str | None = None) -> Send:
        more = {name.lower().encode(): value.encode() for name, value in _HEADERS.items()}

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name for name, _ in message["headers"]}
                extra = [(name, value) for name, value in more.items() if name not in there]
                if b"cache-control" not in there:
                    extra.append((b"cache-control", b"no-store"))
                if offered is not None:
                    cookie = f"{self.cookie}={offered}; Path=/; HttpOnly; SameSite=Strict"
                    extra.append((b"set-cookie", cookie.encode()))
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        return sending


def _is_json(headers: Headers) -> bool:
    return headers.get("content-type", "").partition(";")[0].strip() == "application/json"


def _refused(status: int, text: str) -> Response:
    return PlainTextResponse(f"{text}\n", status)


class TooLong(Exception):
    """A body is longer than was said of it."""


def _limited(receive: Receive) -> Receive:
    got = 0

    async def limited() -> Message:
        nonlocal got
        message = await receive()
        got += len(message.get("body", b""))
        if got > MOST_BYTES:
            raise TooLong(f"the request is larger than {MOST_BYTES} bytes; nothing was done")
        return message

    return limited
