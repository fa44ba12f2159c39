"""Who waits for news is woken when there are some, whichever thread brings them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import TypeVar

Seen = TypeVar("Seen")
_PATIENCE_S = 0.4
"""News that can wait are told together."""


class News:
    """Wakes those who wait."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal may close while the loop's own thread holds it
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self._closed = False

    def tell(self) -> None:
        """There are news."""
        with self._lock:
            waiting = list(self._waiting)
        for loop, event in waiting:
            loop.call_soon_threadsafe(event.set)

    def close(self) -> None:
        """Nobody waits any longer: the server stops."""
        self._closed = True
        self.tell()

    async def wait(
        self,
        look: Callable[[], Seen],
        is_news: Callable[[Seen], bool],
        is_urgent: Callable[[Seen], bool],
        timeout_s: float,
    ) -> Seen:
        """What ``look`` sees as soon as that is news, or when the time is over.

        Args:
            look: at how things stand.
            is_news: whether it differs from what the one who waits knows.
            is_urgent: whether it cannot wait for more to come.
            timeout_s: seconds to wait at most.
        """
        event, started = asyncio.Event(), time.monotonic()
        mine = (asyncio.get_running_loop(), event)
        with self._lock:
            self._waiting.add(mine)
        try:
            while True:
                event.clear()
                seen, waited = look(), time.monotonic() - started
                ripe = is_news(seen) and waited >= _PATIENCE_S
                if is_urgent(seen) or ripe or waited >= timeout_s or self._closed:
                    return seen
                left = (_PATIENCE_S if is_news(seen) else timeout_s) - waited
                try:
                    await asyncio.wait_for(event.wait(), max(left, 0.01))
                except TimeoutError:
                    continue
        finally:
            with self._lock:
                self._waiting.discard(mine)
