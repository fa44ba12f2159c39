"""A server tidies its store, seldom; of several servers one does it at a time."""

from __future__ import annotations

import logging
import threading

from generic.errors import PiaaError
from piaa.store.tidying import Retention, TidyStore

_FIRST_S, _LOOK_S = 60.0, 600.0
EVERY_S = 3600.0
_LOG = logging.getLogger(__name__)


class Tidier:
    """One thread that tidies.

    Args:
        store: what is tidied.
        keep: what stays.
    """

    def __init__(self, store: TidyStore, keep: Retention) -> None:
        self._store, self._keep = store, keep
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="piaa-tidy", daemon=True)

    def start(self) -> None:
        """Begin, a minute after the start: first come the requests that waited for it."""
        self._thread.start()

    def stop(self) -> None:
        """End; what is left to tidy is for the next time."""
        self._stopping.set()
        self._thread.join(timeout=20)

    def tidy(self) -> None:
        """Tidy if it is time to."""
        try:
            if self._store.due(EVERY_S):
                gone = self._store.tidy(self._keep)
                if any(gone.__dict__.values()):
                    _LOG.info("tidied: %s", ", ".join(f"{n} {name}" for name, n in gone.__dict__.items()))
        except PiaaError as error:  # the database is away; the next hour will do
            _LOG.warning("the store is not tidied: %s", error)

    def _run(self) -> None:
        wait = _FIRST_S
        while not self._stopping.wait(wait):
            self.tidy()
            wait = _LOOK_S
