"""The photos of an opened folder: names at once, and of each photo what is known of it by now.

Rows are numbers from 0 in the order of the paths; they are all that the page ever says to name a photo, so
that nothing which comes from a browser is ever taken for a path.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generic.cache.contents import Content
from generic.cache.features import Features
from generic.errors import PiaaError
from generic.photos.facts import PhotoFacts
from generic.photos.find import find_album
from piaa.people.bursts import moment
from piaa.ratings.spelling import escaped
from piaa.store.records import SeenPhoto

Rows = NDArray[np.intp]
Stamp = tuple[int, int]
"""When a file was changed last, in nanoseconds, and its size: what tells that it changed since."""
_SHOWN = 12


@dataclass
class Photo:
    """One photo of the album, as far as it is known."""

    path: Path
    name: str
    """Below the folder, as stores keep it."""
    identity: str = ""
    """Of the picture, 64 hex digits; empty until its file was read."""
    sha256: str = ""
    width: int | None = None
    height: int | None = None
    taken: str | None = None
    error: str = ""
    """Why it cannot be read; empty if it can, or nobody tried."""
    has_picture: bool = False
    """Whether there is a thumbnail."""
    stamp: Stamp | None = None
    """Of the file that was read; None if none was."""

    @property
    def version(self) -> str:
        """Which picture it is, for a browser; empty if that is not known."""
        return self.identity[:_SHOWN]


class Album:
    """Photos of one folder; safe to use from several threads.

    Args:
        root: the folder, or one photo.
        paths: of the photos, as :func:`opened` finds them.
        others: files that were not looked at, by suffix.
        n_outside: links that lead out of the folder, which are not opened.
    """

    def __init__(
        self, root: Path, paths: Sequence[Path], others: dict[str, int] | None = None, n_outside: int = 0
    ) -> None:
        self.root = root if root.is_dir() else root.parent
        self.given = root
        self.others, self.n_outside = others or {}, n_outside
        names = [escaped(path.relative_to(self.root).as_posix()) for path in paths]
        self.photos = [Photo(path=path, name=name) for path, name in zip(paths, names, strict=True)]
        self._lock = threading.Lock()
        self._vectors: NDArray[np.float32] = np.zeros((0, 0), np.float32)
        self._known = np.zeros(len(paths), bool)
        self._turns = np.zeros(len(paths), np.int64)
        self._rows: dict[str, list[int]] = {}
        self._told: list[int] = []

    def __len__(self) -> int:
        return len(self.photos)

    def photo(self, row: int) -> Photo:
        """The photo of a row.

        Raises:
            PiaaError: there is no such row.
        """
        if not 0 <= row < len(self.photos):
            raise PiaaError(f"there is no photo {row} among {len(self.photos)}; open the page again")
        return self.photos[row]

    def file(self, row: int) -> Path:
        """The file of a row, if it still lies in the folder: it may have become a link since.

        Raises:
            PiaaError: there is no such row, or the file is gone or leads out of the folder.
        """
        photo = self.photo(row)
        inside = photo.path == self.given or photo.path.resolve().is_relative_to(self.root.resolve())
        if inside and photo.path.is_file():
            return photo.path
        raise PiaaError(f"{photo.name!r} is not in the folder any more; open the page again")

    def stamp(self, row: int) -> Stamp | None:
        """Of a row's file as it is now; None if it is gone."""
        with suppress(OSError):
            status = self.photos[row].path.stat()
            return status.st_mtime_ns, status.st_size
        return None

    def changed(self, rows: Iterable[int]) -> list[int]:
        """Those rows whose file is another one than was read; one that is gone is none."""
        read = ((row, self.photo(row).stamp) for row in rows)
        return [row for row, stamp in read if stamp is not None and self.stamp(row) not in (None, stamp)]

    def forget(self, row: int) -> None:
        """Know nothing of a photo but its name: its file is another one now."""
        photo = self.photos[row]
        with self._lock:
            if photo.identity:
                self._rows[photo.identity].remove(row)
            self.photos[row] = Photo(path=photo.path, name=photo.name)
            self._known[row] = False
            self._turns[row] += 1
            self._told.append(row)

    def note(
        self,
        row: int,
        *,
        stamp: Stamp | None = None,
        content: Content | None = None,
        facts: PhotoFacts | None = None,
        vector: Features | None = None,
        error: str | None = None,
        has_picture: bool | None = None,
    ) -> None:
        """Keep what was found out about a photo; who waits for news of the album is told of it."""
        photo = self.photos[row]
        with self._lock:
            if stamp is not None:
                photo.stamp = stamp
            if content is not None:
                self._name(row, photo, content)
            if facts is not None:
                photo.width, photo.height, photo.taken = facts.width, facts.height, facts.taken
            if vector is not None:
                self._keep(row, vector)
            if error is not None:
                photo.error = error
            if has_picture is not None:
                photo.has_picture = has_picture
            self._told.append(row)

    def _name(self, row: int, photo: Photo, content: Content) -> None:
        if photo.identity != content.identity:
            if photo.identity:
                self._rows[photo.identity].remove(row)
            self._rows.setdefault(content.identity, []).append(row)
        photo.identity, photo.sha256 = content.identity, content.sha256

    def _keep(self, row: int, vector: Features) -> None:
        if not self._vectors.size:
            self._vectors = np.zeros((len(self.photos), len(vector)), np.float32)
        self._vectors[row] = vector
        self._known[row] = True
        self._turns[row] += 1

    @property
    def n_known(self) -> int:
        """Photos that were embedded."""
        return int(self._known.sum())

    @property
    def n_turns(self) -> int:
        """Vectors that came or went so far."""
        return int(self._turns.sum())

    def turns(self, rows: Rows) -> NDArray[np.int64]:
        """How often the vectors of photos came or went, shape (n,)."""
        return self._turns[rows]

    @property
    def n_told(self) -> int:
        """News of photos so far; a photo may be news several times."""
        return len(self._told)

    def news(self, start: int, most: int) -> tuple[list[int], int]:
        """Rows of which something was found out since ``start`` news, each once, and how many news that are.

        Args:
            start: news that are known already.
            most: news at once.
        """
        with self._lock:
            some = self._told[start : start + most]
        return list(dict.fromkeys(some)), start + len(some)

    def known_rows(self) -> Rows:
        """Rows of the photos that were embedded, in order."""
        return np.flatnonzero(self._known)

    def is_known(self, row: int) -> bool:
        """Whether the photo was embedded."""
        return bool(self._known[row])

    def vectors(self, rows: Rows | Sequence[int]) -> NDArray[Any]:
        """Vectors of embedded photos, float32, shape (n, 1 + d)."""
        return self._vectors[np.asarray(rows, np.intp)]

    def rows_of(self, identity: str) -> list[int]:
        """Rows of the files that hold a picture."""
        with self._lock:
            return list(self._rows.get(identity, ()))

    def moments(self, rows: Rows) -> NDArray[np.float64]:
        """When photos were taken, in seconds, NaN where unknown, shape (n,)."""
        return np.array([moment(self.photos[row].taken) for row in rows], np.float64)

    def seen(self, row: int) -> SeenPhoto:
        """A photo as the store takes it.

        Raises:
            PiaaError: it was not read yet, or cannot be read.
        """
        photo = self.photo(row)
        if not self._known[row]:
            raise PiaaError(photo.error or f"{photo.name!r} was not read yet; wait a moment and answer again")
        return SeenPhoto(
            identity=photo.identity,
            sha256=photo.sha256,
            image=photo.name,
            vector=self._vectors[row],
            width=photo.width,
            height=photo.height,
            taken=photo.taken,
        )


def opened(root: Path) -> Album:
    """The album of a folder, without reading a photo. A link that leads out of the folder is not followed.

    Raises:
        ImageError: it cannot be read, or holds no photo.
    """
    found = find_album(root)
    real = (root if root.is_dir() else root.parent).resolve()
    inside = [path for path in found.photos if path == root or path.resolve().is_relative_to(real)]
    return Album(root, inside, dict(found.others), len(found.photos) - len(inside))
