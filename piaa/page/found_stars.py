"""Stars in the photos' files and sidecars: found while the page is open, learned from if she says so."""

from __future__ import annotations

import logging
import threading
from typing import Any

from generic.errors import PiaaError, UnknownUser
from piaa.adapters.registry import DEFAULT
from piaa.page.album import Album
from piaa.page.news import News
from piaa.people.learn_on import adapter_of_what_is_kept
from piaa.people.model import Model
from piaa.stars.gather import gather
from piaa.stars.learn import Found, find_stars, keep_stars
from piaa.store.store import Store

logger = logging.getLogger(__name__)


class FoundStars:
    """The stars in the files of an album.

    Args:
        album: whose files.
        model: how photos are read.
        store: which stars piaa wrote itself, and what somebody said.
        news: who waits for them.
    """

    def __init__(self, album: Album, model: Model, store: Store, news: News) -> None:
        self._album, self._model, self._store, self._news = album, model, store, news
        self._found: Found | None = None
        self.n_found = 0
        """Counted up when they were looked for."""
        self._rows = {photo.name: row for row, photo in enumerate(album.photos)}
        self._thread = threading.Thread(target=self._look, name="piaa-page-stars", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Wait until they were looked for, which nothing interrupts."""
        self._thread.join()

    def of(self, user: str) -> dict[str, Any]:
        """The stars for a person: those that are new to what she said, and all of them by row."""
        found = self._found
        if found is None:
            return {"is_searching": self._thread.is_alive(), "n": 0, "n_new": 0, "stars": {}, "counts": {}}
        known = self._known(user)
        new = [
            one
            for one in found.stars
            if one.name in found.pictures and known.get(found.pictures[one.name].identity) != one.stars
        ]
        return {
            "is_searching": False,
            "n": len(found.stars),
            "n_new": len(new),
            "n_flags": len(found.flags),
            "n_ours": found.n_ours,
            "counts": {str(stars): n for stars, n in found.counts.items() if n},
            "stars": {self._rows[one.name]: one.stars for one in found.stars if one.name in self._rows},
            "skipped": dict(list(found.skipped.items())[:50]),
        }

    def learn(self, user: str) -> dict[str, Any]:
        """Take them for a person's own ratings, as ``piaa learn`` does.

        Raises:
            PiaaError: none was found, or she rated on another scale.
        """
        if self._found is None:
            raise PiaaError("the files are still being searched for stars; wait a moment")
        try:
            name = adapter_of_what_is_kept(self._store, user)
        except UnknownUser:
            name = DEFAULT
        kept = keep_stars(self._model, self._store, user, self._found, self._model.maker(name))
        return {
            "n_new": kept.n_new,
            "n_changed": kept.n_changed,
            "n_same": kept.n_same,
            "proof": None if kept.proof is None else vars(kept.proof),
            "skipped": dict(kept.skipped),
        }

    def look(self) -> None:
        """Look for them now."""
        self._found = find_stars(self._model, self._store, gather(self._album.given))
        self.n_found += 1
        self._news.tell()

    def _look(self) -> None:
        try:
            self.look()
        except PiaaError as error:
            logger.warning("page: stars were not looked for: %s", error)

    def _known(self, user: str) -> dict[str, float]:
        try:
            return {one.photo: one.score for one in self._store.said(user, "").ratings}
        except UnknownUser:
            return {}
