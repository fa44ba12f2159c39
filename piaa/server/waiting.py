"""Photos that are being looked at: each once, however many requests want it, and so many at most."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Generic, TypeVar

from piaa.server import telemetry
from piaa.server.problems import Problem

T = TypeVar("T")

_PATIENCE_S = 1.0
"""How long an upload waits for room: refused at once, who asks again at once takes the time of the others."""
_STEPS = 4
"""How often it looks meanwhile: thousands of connections may wait."""


@dataclass
class _Pending(Generic[T]):
    """A photo that is being looked at, and how many requests wait for it."""

    key: str
    task: asyncio.Task[T]
    n_waiting: int = 0


class Waiting(Generic[T]):
    """What is being looked at, by the digest of its file.

    Args:
        limit: how many photos may wait; half of them one key's.
        look: looks at one, given who asked first, its digest and its file.
    """

    def __init__(self, limit: int, look: Callable[[str, str, bytes], Awaitable[T]]) -> None:
        self._limit, self._look = limit, look
        self._pending: dict[str, _Pending[T]] = {}
        self._own: Counter[str] = Counter()
        """How many of them are a key's."""

    def stop(self) -> None:
        """Drop all of them."""
        for one in self._pending.values():
            one.task.cancel()

    async def room(self, key: str, digests: Collection[str]) -> None:
        """Wait until these photos of one key may wait.

        Raises:
            Problem: 503, there was no room for a second.
        """
        end = time.monotonic() + _PATIENCE_S
        while (problem := self._no_room(key, digests)) and time.monotonic() < end:
            await asyncio.sleep(_PATIENCE_S / _STEPS)
        if problem:
            raise problem

    def _no_room(self, key: str, digests: Collection[str]) -> Problem | None:
        n = sum(digest not in self._pending for digest in digests)
        limit, waiting, own = self._limit, len(self._pending), self._own[key]
        if n and (waiting + n > max(limit, n) or (own and own + n > limit // 2)):
            return Problem(
                503,
                f"{waiting} images wait already, {own} of them yours; at most {limit} may, and "
                f"{limit // 2} of one key; try again in a second",
                retry_after_s=1,
            )
        return None

    async def outcome(self, key: str, digest: str, content: bytes) -> T:
        """What became of a photo; who is cancelled while waiting costs nothing more."""
        if digest not in self._pending:
            self._pending[digest] = _Pending(key, asyncio.ensure_future(self._look(key, digest, content)))
            self._own[key] += 1
        one = self._pending[digest]
        one.n_waiting += 1
        telemetry.WAITING.set(len(self._pending))
        try:
            return await asyncio.shield(one.task)
        finally:
            one.n_waiting -= 1
            if not one.n_waiting:
                one.task.cancel()  # of no effect if it is done
                if self._pending.get(digest) is one:
                    del self._pending[digest]
                    self._own -= Counter((one.key,))  # a key without any is not kept
                telemetry.WAITING.set(len(self._pending))
