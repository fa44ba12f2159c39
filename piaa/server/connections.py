"""Connections, of which there are only so many: who says nothing makes room for who asks.

A connection is idle until the head of a request has come in whole, and again after its answer. Of too many
the one goes that was idle for longest; if none is, one whose request is still coming in; only if all the
others wait for their answers the new one is refused.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import cache

from uvicorn.protocols.http.h11_impl import H11Protocol

from piaa.server.settings import ServeSettings

_RESERVED = 256
"""Descriptors for the store, the cache, the log and the processes that decode."""
_UNLIMITED = (1 << 20, 1 << 16, 10_240)
"""Descriptors to ask for where the system names no limit, the first that it grants."""
_STUCK_S = 60.0
"""How long a client may take no byte of its answer, in seconds."""


class Crowd:
    """The connections of one server process.

    Args:
        most: how many there may be.
        of_one: how many of them from one address.
    """

    def __init__(self, most: int, of_one: int) -> None:
        self._most, self._of_one = most, of_one
        self._addresses: dict[Connection, str] = {}
        self._counts: Counter[str] = Counter()
        # Dicts for their order: who is longest in them comes first.
        self._idle: dict[Connection, None] = {}
        self._coming: dict[Connection, None] = {}

    def enter(self, one: Connection, address: str) -> bool:
        """Take a connection in, and let go of another if there are too many; False if there is no room."""
        self._addresses[one] = address
        self._counts[address] += 1
        self._idle[one] = None
        if self._counts[address] > self._of_one:
            return self._make_room(one, address)
        return len(self._addresses) <= self._most or self._make_room(one, None)

    def _make_room(self, new: Connection, address: str | None) -> bool:
        for among in (self._idle, self._coming):
            for other in among:
                if other is not new and address in (None, self._addresses[other]):
                    other.drop()
                    return True
        return False

    def leave(self, one: Connection) -> None:
        """It is closed."""
        address = self._addresses.pop(one, None)
        if address is not None:
            self._counts[address] -= 1
            if not self._counts[address]:
                del self._counts[address]
        self._idle.pop(one, None)
        self._coming.pop(one, None)

    def note(self, one: Connection, *, idle: bool, coming: bool) -> None:
        """What a connection does now."""
        if one in self._addresses:
            for among, belongs in ((self._idle, idle), (self._coming, coming)):
                if belongs:
                    among.setdefault(one)
                else:
                    among.pop(one, None)


@cache
def _settings() -> ServeSettings:
    return ServeSettings.from_environment()


@cache
def _crowd() -> Crowd:
    most, _ = room(_settings().max_connections)
    return Crowd(most, min(most, _settings().max_per_address))


class Connection(H11Protocol):
    """One connection, with an end to everything that a client can draw out."""

    _deadline: asyncio.TimerHandle | None = None
    _stuck: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See :class:`asyncio.Protocol`."""
        super().connection_made(transport)
        if _crowd().enter(self, self.client[0] if self.client else ""):
            self._wait_for_head()
        else:
            self.drop()

    def connection_lost(self, exc: Exception | None) -> None:
        """See :class:`asyncio.Protocol`."""
        _crowd().leave(self)
        _cancel(self._deadline)
        _cancel(self._stuck)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See :class:`asyncio.Protocol`."""
        super().data_received(data)
        self._note()
        if self._is_idle():
            self._wait_for_head()

    def on_response_complete(self) -> None:
        """Called after each answer; how long the next request may be awaited uvicorn sees to."""
        super().on_response_complete()
        self._note()

    def pause_writing(self) -> None:
        """See :class:`asyncio.Protocol`."""
        super().pause_writing()
        self._stuck = self._stuck or self.loop.call_later(_STUCK_S, self.drop)

    def resume_writing(self) -> None:
        """See :class:`asyncio.Protocol`."""
        _cancel(self._stuck)
        self._stuck = None
        super().resume_writing()

    def drop(self) -> None:
        """Close it at once."""
        _crowd().leave(self)
        self.transport.abort()

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _wait_for_head(self) -> None:
        if self._deadline is None and not self.transport.is_closing():
            self._deadline = self.loop.call_later(_settings().head_timeout_s, self.drop)

    def _note(self) -> None:
        idle = self._is_idle()
        _crowd().note(self, idle=idle, coming=not idle and self.cycle.more_body)
        if not idle:
            _cancel(self._deadline)
            self._deadline = None


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()


def room(wanted: int) -> tuple[int, int]:
    """How many connections this process has descriptors for, and how many more may wait to be taken in.

    Args:
        wanted: how many there are to be; the system's limit is raised as far as it may be.
    """
    try:
        import resource
    except ImportError:  # no limit that could be asked for
        return wanted, 2048
    files, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # macOS says that there is no limit, and takes none above that of its kernel.
    for more in _UNLIMITED if hard == resource.RLIM_INFINITY else (hard,):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (more, hard))
        except (ValueError, OSError):
            continue
        files = more
        break
    backlog = min(2048, files // 4)
    return max(16, min(wanted, files - backlog - _RESERVED)), backlog
