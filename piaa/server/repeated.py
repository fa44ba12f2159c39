"""A thread that does one thing again and again, and outlives whatever goes wrong with it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from generic.errors import PiaaError

_AFTER_ERROR_S = 1.0
_STOP_S = 20.0
_LOG = logging.getLogger(__name__)


class Repeated:
    """One thread.

    Args:
        name: of the thread.
        turn: what is done; returns for how many seconds there is nothing more to do unless it is woken.
        paused: what is said before the reason when a turn fails.
        spacing_s: at least so long after each turn, whoever wakes it.
    """

    def __init__(self, name: str, turn: Callable[[], float], paused: str, *, spacing_s: float = 0.0) -> None:
        self._turn, self._paused, self._spacing_s = turn, paused, spacing_s
        self._wake, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """There is something to do."""
        self._wake.set()

    def stop(self) -> None:
        """End after the turn at hand; a second time nothing happens."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=_STOP_S)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                wait = self._turn()
            except PiaaError as error:  # the database is away, or the like
                _LOG.warning("%s: %s", self._paused, error)
                wait = _AFTER_ERROR_S
            except Exception:  # of piaa's own making: a server without this thread would look well and not be
                _LOG.exception("%s", self._paused)
                wait = _AFTER_ERROR_S
            self._wake.wait(wait)
            self._stopping.wait(self._spacing_s)
