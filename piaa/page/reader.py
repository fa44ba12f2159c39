"""Photos are read in the background, the most wanted first, and never twice.

One decoding serves vector and thumbnail. What is remembered of photos that did not change is taken over
before any file is opened, so that an album that was read before is there at once, and one whose reading was
stopped goes on where it stopped. One core is left to the page.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence

from PIL import Image

from generic.cache.features import FeatureCache
from generic.engine.engine import usable_cores
from generic.errors import ImageError
from generic.photos.facts import photo_facts
from generic.photos.open import MAX_PIXELS, load_pixels_and_picture, open_rgb
from piaa.page.album import Album
from piaa.page.news import News
from piaa.page.pictures import SIDE, Pictures
from piaa.people.opened_model import OpenedModel

logger = logging.getLogger(__name__)
_CHUNK = 256
_LOOK_AGAIN_S = 10.0
"""After so long without work, whether a file changed is looked at again."""


class Wanted:
    """Which photo is read next: those that somebody asks for, then what has no vector, then no picture.

    Args:
        album: whose photos.
    """

    def __init__(self, album: Album) -> None:
        self._album = album
        self._changed = threading.Condition()
        self._needed: deque[int] = deque()
        self._asked: deque[int] = deque()
        self._busy: set[int] = set()
        self._next = [0, 0]

    def ask(self, rows: Iterable[int]) -> None:
        """Have these read next, in their order; those asked for before and not read yet can wait."""
        with self._changed:
            self._asked = deque(row for row in rows if 0 <= row < len(self._album))
            self._changed.notify_all()

    def ask_now(self, row: int) -> None:
        """Have one read before all others, whatever is asked for meanwhile: somebody waits for it."""
        with self._changed:
            self._needed.appendleft(row)
            self._changed.notify_all()

    def take(self) -> int | None:
        """The next row; None if nothing is left at this moment. :meth:`done` gives it back."""
        with self._changed:
            for rows in (self._needed, self._asked):
                while rows:
                    row = rows.popleft()
                    if self._lacks(row):
                        return self._taken(row)
            for kind in (0, 1):
                while self._next[kind] < len(self._album):
                    row = self._next[kind]
                    self._next[kind] += 1
                    if self._lacks(row) and (kind or not self._album.is_known(row)):
                        return self._taken(row)
            return None

    def done(self, row: int) -> None:
        """A row was read, or could not be."""
        with self._changed:
            self._busy.discard(row)
            self._changed.notify_all()

    def wait(self, timeout_s: float) -> None:
        """Sleep until something is asked for."""
        with self._changed:
            if not (self._needed or self._asked):
                self._changed.wait(timeout_s)

    def until_read(self, row: int, timeout_s: float) -> None:
        """Sleep until a row was read, or could not be."""
        album = self._album
        self.ask_now(row)
        with self._changed:
            self._changed.wait_for(lambda: album.is_known(row) or bool(album.photo(row).error), timeout_s)

    def _taken(self, row: int) -> int:
        self._busy.add(row)
        return row

    def _lacks(self, row: int) -> bool:
        photo = self._album.photos[row]
        done = self._album.is_known(row) and photo.has_picture
        return not (done or photo.error or row in self._busy)


class Reader:
    """Reads an album in threads of its own.

    Args:
        album: what is read.
        model: whose vectors are made.
        pictures: where thumbnails go.
        news: who waits for what is read.
    """

    def __init__(self, album: Album, model: OpenedModel, pictures: Pictures, news: News) -> None:
        self._album, self._model, self._pictures, self._news = album, model, pictures, news
        self.wanted = Wanted(album)
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._cache = FeatureCache.open(model.settings.cache)
        self._looking, self._look_at = threading.Lock(), time.monotonic() + _LOOK_AGAIN_S
        self._remembered = model.generic.remembered(self._cache)
        self.recalled = threading.Event()
        """Set once everything that is remembered was taken over."""

    def start(self) -> None:
        """Begin."""
        n = max(1, usable_cores() - 1)
        self._threads = [threading.Thread(target=self._recall, name="piaa-page-recall", daemon=True)]
        self._threads += [
            threading.Thread(target=self._work, name=f"piaa-page-read-{number}", daemon=True)
            for number in range(n)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop after the photos at hand; what was read is remembered."""
        self._stopping.set()
        self.wanted.ask(())
        for thread in self._threads:
            thread.join()  # a photo takes no longer; a thread that outlived the program would abort it
        self._cache.close()

    def need(self, row: int, timeout_s: float = 30.0) -> None:
        """Wait until a photo was read, before all others.

        Raises:
            PiaaError: there is no such photo, or it cannot be read.
        """
        self.look_again([row])
        if not self._album.is_known(row):
            self.wanted.until_read(row, timeout_s)
        self._album.seen(row)

    def look_again(self, rows: Iterable[int] | None = None) -> list[int]:
        """Forget photos whose file changed since it was read, and have them read anew; which those are.

        Args:
            rows: which to look at; None is all.

        Raises:
            PiaaError: there is no such row.
        """
        changed = self._album.changed(range(len(self._album)) if rows is None else rows)
        for row in changed:
            self._album.forget(row)
            self.wanted.ask_now(row)
        if changed:
            self._news.tell()
        return changed

    def _recall(self) -> None:
        try:
            for start in range(0, len(self._album), _CHUNK):
                if self._stopping.is_set():
                    return
                self._recall_some(range(start, min(start + _CHUNK, len(self._album))))
                self._news.tell()
        finally:
            self.recalled.set()
            self.wanted.ask(())

    def _recall_some(self, rows: Sequence[int]) -> None:
        paths = {row: self._album.photos[row].path for row in rows}
        stamps = {row: self._album.stamp(row) for row in rows}
        contents = self._cache.recall_many(list(paths.values()))
        vectors = self._remembered.find(contents.values())
        for row, path in paths.items():
            content = contents.get(path)
            if content is None or content.key not in vectors or self._album.is_known(row):
                continue
            self._album.note(
                row,
                stamp=stamps[row],
                content=content,
                facts=photo_facts(path),
                vector=vectors[content.key],
                has_picture=self._pictures.has(content.identity),
            )

    def _work(self) -> None:
        self.recalled.wait()  # or what is remembered would be computed again
        while not self._stopping.is_set():
            row = self.wanted.take()
            if row is None:
                self.wanted.wait(2.0)
                self._look_around()
                continue
            try:
                self._read(row)
            except Exception as error:  # of whatever kind: the others must go on
                logger.warning("page: %s", error)
                self._album.note(row, error=str(error) or type(error).__name__)
            finally:
                self.wanted.done(row)
                self._news.tell()

    def _look_around(self) -> None:
        """Now and then, whether a file changed; one thread is enough for it."""
        with self._looking:
            if self._stopping.is_set() or time.monotonic() < self._look_at:
                return
            self.look_again()
            self._look_at = time.monotonic() + _LOOK_AGAIN_S

    def _read(self, row: int) -> None:
        self._album.note(row, stamp=self._album.stamp(row))  # before: it may change meanwhile
        path = self._album.file(row)  # it may have become a link out of the folder
        contents, errors = self._cache.digest_many([path])
        if path in errors:
            self._album.note(row, error=str(errors[path]))
            return
        content, generic = contents[path], self._model.generic
        vector = self._remembered.find([content]).get(content.key)
        has_picture = self._pictures.has(content.identity)
        limit = self._model.settings.max_pixels or MAX_PIXELS
        try:
            if vector is None:
                pixels, picture = load_pixels_and_picture(
                    path, generic.size, SIDE, fit=generic.fit, max_pixels=limit
                )
                vector = self._remembered.put({content.key: generic.plain_vector(pixels)})[content.key]
                self._pictures.keep(content.identity, picture)
            elif not has_picture:
                self._pictures.keep(content.identity, small_picture(path, limit))
        except ImageError as error:
            self._album.note(row, content=content, error=str(error))
            return
        self._album.note(row, content=content, facts=photo_facts(path), vector=vector, has_picture=True)


def small_picture(path: object, max_pixels: int) -> Image.Image:
    """A thumbnail of a photo.

    Raises:
        ImageError: it cannot be read.
    """
    photo = open_rgb(path, at_least=(SIDE, SIDE), max_pixels=max_pixels)  # type: ignore[arg-type]
    photo.thumbnail((SIDE, SIDE), Image.Resampling.BICUBIC, reducing_gap=3.0)
    return photo
