"""A server tidies its store, seldom; of several servers one does it at a time."""

from __future__ import annotations

import logging

from piaa.server.repeated import Repeated
from piaa.store.tidying import Retention, TidyStore

EVERY_S = 3600.0
_FIRST_S, _LOOK_S = 60.0, 600.0
_LOG = logging.getLogger(__name__)


class Tidier:
    """One thread that tidies.

    Args:
        store: what is tidied.
        keep: what stays.
    """

    def __init__(self, store: TidyStore, keep: Retention) -> None:
        self._store, self._keep, self._begun = store, keep, False
        self._thread = Repeated("piaa-tidy", self._turn, "the store is not tidied")

    def start(self) -> None:
        """Begin, a minute after the start: first come the requests that waited for it."""
        self._thread.start()

    def stop(self) -> None:
        """End after the turn at hand; what is left to tidy is for the next time."""
        self._thread.stop()

    def tidy(self) -> None:
        """Tidy if it is time to.

        Raises:
            StoreError: the store cannot be used; what went before that has gone.
        """
        if self._store.due(EVERY_S):
            gone = self._store.tidy(self._keep)
            if any(gone.__dict__.values()):
                _LOG.info("tidied: %s", ", ".join(f"{n} {name}" for name, n in gone.__dict__.items()))

    def _turn(self) -> float:
        if not self._begun:
            self._begun = True
            return _FIRST_S
        self.tidy()
        return _LOOK_S
