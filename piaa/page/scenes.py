"""Bursts of the album, found anew as photos become known; quick enough for the background."""

from __future__ import annotations

import logging
import threading
import time

import numpy as np
from numpy.typing import NDArray

from piaa.page.album import Album
from piaa.page.news import News
from piaa.page.ranking import Ground
from piaa.people.bursts import bursts, scene_places
from piaa.people.opened_model import OpenedModel

logger = logging.getLogger(__name__)
_GROWTH = 1.25
"""Of the known photos, after which bursts are looked for again."""
_QUIET_S = 3.0


class Scenes:
    """The burst of each photo.

    Args:
        album: whose photos.
        model: whose prior says how alike photos are.
        ground: where they lie.
        news: who waits for bursts.
    """

    def __init__(self, album: Album, model: OpenedModel, ground: Ground, news: News) -> None:
        self._album, self._model, self._ground, self._news = album, model, ground, news
        self.numbers: NDArray[np.int32] = np.full(len(album), -1, np.int32)
        """Of the burst of each photo; -1 is unknown."""
        self.n_found = 0
        """How often bursts were looked for."""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="piaa-page-bursts", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Stop."""
        self._stopping.set()
        self._thread.join()

    def find(self) -> None:
        """Look for bursts among the photos that are known now."""
        rows = self._album.known_rows()
        numbers = np.full(len(self._album), -1, np.int32)
        if len(rows):
            prior = self._model.prior
            at = (
                scene_places(self._album.vectors(rows), None)
                if prior is None
                else self._ground.places(rows).astype(np.float64)
            )
            numbers[rows] = bursts(at, self._album.moments(rows))
        self.numbers = numbers
        self.n_found += 1
        self._news.tell()

    def _work(self) -> None:
        done, seen, since = 0, 0, time.monotonic()
        while not self._stopping.wait(0.5):
            known = self._album.n_turns
            if known != seen:
                seen, since = known, time.monotonic()
            quiet = time.monotonic() - since >= _QUIET_S
            if known > done and (quiet or known >= _GROWTH * max(done, 40)):
                try:
                    self.find()
                except Exception as error:  # the next try must find this thread alive
                    logger.warning("page: %s", error)
                done = known
