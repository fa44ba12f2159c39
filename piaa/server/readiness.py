"""Whether the store answers, asked at most once a second: nobody needs a key to want to know."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

_HOLDS_S = 1.0


class Readiness:
    """Asks, and remembers the answer for a second.

    Args:
        ask: raises an error unless the store answers.
    """

    def __init__(self, ask: Callable[[], object]) -> None:
        self._ask = ask
        self._asked: asyncio.Task[object] | None = None
        self._since = 0.0

    async def check(self) -> None:
        """Raises what asking raised, just now or less than a second ago."""
        now = time.monotonic()
        if self._asked is None or (self._asked.done() and now - self._since > _HOLDS_S):
            self._since = now
            self._asked = asyncio.get_running_loop().create_task(asyncio.to_thread(self._ask))
        await asyncio.shield(self._asked)  # who goes away takes the answer from nobody
