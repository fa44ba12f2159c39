"""What is refused before anything is asked of the store.

Requests that could be read in two ways, requests of web pages of others, and guesses at keys.
"""

from __future__ import annotations

import hashlib
from collections import Counter, OrderedDict
from urllib.parse import urlsplit

from starlette.types import Scope

from piaa.server.counts import SharedCounts
from piaa.server.problems import Problem
from piaa.store.request_counts import SPAN_S

_ONCE = (b"authorization", b"content-length", b"content-type", b"host", b"transfer-encoding")
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_MOST_WRONG = 200
"""Wrong keys from one address within ten seconds."""
_REMEMBERED = 10_000


def refuse_ambiguous(scope: Scope) -> None:
    """Raises Problem if this server and a proxy before it might read different requests in these bytes.

    Raises:
        Problem: 400.
    """
    counts = Counter(name for name, _ in scope["headers"] if name in _ONCE)
    twice = [name.decode() for name, n in counts.items() if n > 1]
    if twice:
        raise Problem(400, f"the header {twice[0]!r} was sent more than once; send it once")
    if counts[b"content-length"] and counts[b"transfer-encoding"]:
        raise Problem(400, "both Content-Length and Transfer-Encoding were sent; send one of them")


def refuse_foreign(scope: Scope) -> None:
    """Raises Problem if a page of some web site asks, through the browser of somebody on this machine.

    A server without keys trusts whoever reaches a loopback address, and a browser reaches it for any page:
    under the page's own name, if that name was made to mean this machine, or from another origin.

    Raises:
        Problem: 403.
    """
    headers = dict(scope["headers"])
    host = _name(f"//{headers.get(b'host', b'').decode('latin-1')}")
    if host not in _LOOPBACK:
        raise Problem(
            403, f"this server has no keys and answers to localhost, not to {host!r}; use that name"
        )
    origin = headers.get(b"origin")
    if origin is not None and _name(origin.decode("latin-1")) not in _LOOPBACK:
        raise Problem(403, "this server has no keys and answers no page of another site; serve with keys")


def _name(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


class Strangers:
    """How many wrong keys came from where: past a limit they are refused without a look into the store.

    Args:
        counts: of all server processes together.
    """

    def __init__(self, counts: SharedCounts) -> None:
        self._counts = counts
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def check(self, address: str, secret: str) -> None:
        """Raises Problem if this is one guess too many; a key that was right before is no guess.

        Raises:
            Problem: 429.
        """
        if self._counts.within(_wrong(address)) >= _MOST_WRONG and _digest(secret) not in self._known:
            raise Problem(
                429,
                f"{_MOST_WRONG} wrong keys came from this address; try again later, with the right one",
                retry_after_s=SPAN_S,
            )

    def note(self, address: str, secret: str, *, known: bool) -> None:
        """What the store said of a key."""
        digest = _digest(secret)
        if known:
            self._known[digest] = None
            self._known.move_to_end(digest)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
            return
        self._known.pop(digest, None)
        self._counts.add(_wrong(address))


def _wrong(address: str) -> str:
    return f"wrong key {address}"


def _digest(secret: str) -> bytes:
    # What lies in memory is to open nothing.
    return hashlib.sha256(secret.encode(errors="replace")).digest()
