"""Turns at something of which there are few, fair to those who ask: one who asks for much waits for it."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_HALF_LIFE_S = 10.0
"""After which half of what somebody had is forgotten."""


class Turns:
    """So many may go on at once; next comes, of all who wait, whoever had least of late.

    Args:
        n: how many go on at once.
        at_most: how many of them may be one key's, however few others there are.
    """

    def __init__(self, n: int, at_most: int) -> None:
        self._free, self._at_most = n, at_most
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._going: dict[str, int] = {}
        self._had: dict[str, tuple[float, float]] = {}

    @asynccontextmanager
    async def turn(self, key: str) -> AsyncIterator[None]:
        """Wait for a turn, and hold it for the block; what is cancelled meanwhile waits no more."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, deque()).append(turn)
        self._next()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._end(key, 0.0)
            else:
                self._forget(key, turn)
            raise
        started = time.monotonic()
        try:
            yield
        finally:
            self._end(key, time.monotonic() - started)

    def n_waiting(self) -> int:
        """How many wait."""
        return sum(map(len, self._waiting.values()))

    def _next(self) -> None:
        while self._free:
            ready = [key for key in self._waiting if self._going.get(key, 0) < self._at_most]
            if not ready:
                return
            key = min(ready, key=self._had_of_late)
            turn = self._waiting[key].popleft()
            if not self._waiting[key]:
                del self._waiting[key]
            if turn.cancelled():  # its task will hear of it in a moment
                continue
            self._free -= 1
            self._going[key] = self._going.get(key, 0) + 1
            turn.set_result(None)

    def _end(self, key: str, seconds: float) -> None:
        self._free += 1
        self._going[key] -= 1
        if not self._going[key]:
            del self._going[key]
        self._had[key] = (self._had_of_late(key) + seconds, time.monotonic())
        if len(self._had) > 1000:
            self._had = {one: had for one, had in self._had.items() if self._had_of_late(one) > 0.01}
        self._next()

    def _forget(self, key: str, turn: asyncio.Future[None]) -> None:
        queue = self._waiting.get(key, deque())
        if turn in queue:
            queue.remove(turn)
            if not queue:
                del self._waiting[key]

    def _had_of_late(self, key: str) -> float:
        """Seconds, the older the less."""
        seconds, then = self._had.get(key, (0.0, 0.0))
        return seconds * math.exp2(-(time.monotonic() - then) / _HALF_LIFE_S)
