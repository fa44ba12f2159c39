"""How often somebody asked within the last ten seconds, whichever server process was asked.

Each process counts by itself, at once, and every second tells the store what it counted, and learns what
the others did. So of a limit each process may let pass what comes within a second, and no more.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from piaa.server.repeated import Repeated
from piaa.store.request_counts import SPAN_S, Counts, CountStore

_EVERY_S = 1.0
_REMEMBERED = 10_000
"""Of how many the counts are kept that the store was not told yet."""


class SharedCounts:
    """Counts of requests; may be used from several threads.

    Args:
        store: where all processes add theirs.
        clock: seconds since 1970, as the other servers' clocks show them.
    """

    def __init__(self, store: CountStore, clock: Callable[[], float] = time.time) -> None:
        self._store, self._clock = store, clock
        self._told: Counts = {}
        self._fresh: Counts = {}
        self._lock = threading.Lock()
        self._thread = Repeated("piaa-counts", self._turn, "requests are counted by each process alone")

    def start(self) -> None:
        """Begin to tell the store."""
        self._thread.start()

    def stop(self) -> None:
        """End; what was counted since the last second is not told."""
        self._thread.stop()

    def add(self, who: str) -> None:
        """Somebody asked."""
        key = (who, int(self._clock() // SPAN_S))
        with self._lock:
            self._fresh[key] = self._fresh.get(key, 0) + 1
            if len(self._fresh) > _REMEMBERED:
                del self._fresh[next(iter(self._fresh))]

    def within(self, who: str) -> float:
        """How often somebody asked in the last ten seconds; of the span before the part that still counts."""
        span, passed = divmod(self._clock() / SPAN_S, 1)
        with self._lock:
            now, before = (
                self._told.get(key, 0) + self._fresh.get(key, 0)
                for key in ((who, int(span)), (who, int(span) - 1))
            )
        return now + before * (1 - passed)

    def exchange(self) -> None:
        """Tell the store what is new, and learn what the others counted.

        Raises:
            StoreError: the store cannot be used; nothing is lost but what is too old by now.
        """
        since = int(self._clock() // SPAN_S) - 1
        with self._lock:
            self._fresh = {key: n for key, n in self._fresh.items() if key[1] >= since}
            sent = dict(self._fresh)
        if not sent:
            return
        everybody = self._store.exchange(sent, since)
        with self._lock:
            kept = {key: n for key, n in self._told.items() if key[1] >= since}
            own = {key: kept.get(key, 0) + n for key, n in sent.items()}
            self._told = {**kept, **own, **everybody}
            self._fresh = {
                key: n - sent.get(key, 0) for key, n in self._fresh.items() if n > sent.get(key, 0)
            }

    def _turn(self) -> float:
        self.exchange()
        return _EVERY_S
