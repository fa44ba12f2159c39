"""Frozen features, remembered per (picture, model) in one SQLite file of the user's own.

A cache may be lost at any time and must never fail a job: whatever goes wrong with the file (full
disk, no permission, a lock that is never released, damage), the caller gets "not remembered" and
the log gets one warning. Only ``info`` and ``clear``, which a person asks for, raise. Neither names
nor folders of images are stored: hashes, numbers and times only.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import zlib
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from generic.cache.contents import Content
from generic.cache.file import CacheFile
from generic.cache.known_files import KnownFiles
from generic.errors import CacheError, ImageError, ShapeError

Features = npt.NDArray[np.float32]

_FILE_NAME = "piaa-features.sqlite"
_STORED = np.dtype("<f4")  # the same bytes on every machine
# What is asked for is one JSON document, of any size: {digest: key}. CROSS keeps SQLite
# from walking all features of the model. CAST makes sure of the type, however damaged a row is.
_FIND = """
    SELECT asked.key, CAST(n AS INTEGER), CAST(features.value AS BLOB) FROM json_each(?) AS asked
    CROSS JOIN features ON features.key = asked.value AND digest = asked.key AND model = ?"""
_KEEP = "INSERT OR REPLACE INTO features (key, model, digest, n, value) VALUES (?, ?, ?, ?, ?)"


def default_cache_folder() -> Path:
    """The folder of the user's cache: ``PIAA_CACHE_DIR`` if set, else what the system provides for it."""
    chosen = os.environ.get("PIAA_CACHE_DIR")
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("piaa", appauthor=False))


@dataclass(frozen=True, kw_only=True)
class CacheInfo:
    """What a feature cache holds."""

    path: Path | None
    """The cache file, which may not exist yet; None if nothing is remembered."""
    n_bytes: int
    """Size on disk in bytes."""
    n_entries: int
    """Number of feature vectors."""
    models: dict[str, int]
    """Number of feature vectors per model hash."""


class FeatureCache:
    """Feature vectors by (picture, model hash), and which picture a file holds.

    One object may be used from several threads, and several processes may use one folder. Do not
    carry an open cache across a fork: open a new one in the child.

    Args:
        folder: where the cache file lies; created when first needed. None remembers nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._file = None if folder is None else CacheFile(Path(folder) / _FILE_NAME)
        self._known = KnownFiles(self._fetch, self._store)

    @classmethod
    def open(cls, folder: Path | None) -> FeatureCache:
        """A cache whose file is already open, so that a warning comes before the work and not within."""
        cache = cls(folder)
        cache._fetch("SELECT 1")
        return cache

    def __enter__(self) -> FeatureCache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; a later use opens it again."""
        if self._file is not None:
            self._file.close()

    def get_many(self, digests: Sequence[str], model: str) -> dict[str, Features]:
        """The remembered features of files of which only the sha256 is at hand.

        Args:
            digests: sha256 of the image files.
            model: hash of the model that made the features.

        Returns:
            for each digest that is remembered: float32, shape (d,), read-only. A damaged value counts
            as not remembered.
        """
        known = self._known.pictures(digests)
        anew = {it.sha256 for it in known if it.decoded_anew}
        found = self._vectors([digest for digest in digests if digest not in anew], model)
        missing = [it for it in known if it.sha256 not in found]
        by_picture = self.find_many(missing, model)
        return found | {it.sha256: by_picture[it.key] for it in missing if it.key in by_picture}

    def find_many(self, contents: Collection[Content], model: str) -> dict[str, Features]:
        """The remembered features of these pictures.

        Args:
            contents: as from ``digest_many``.
            model: as in ``get_many``.

        Returns:
            as ``get_many``, by the contents' keys.
        """
        # Releases before remembered features by the sha256 of the file, so that stars cost a new one.
        as_before = [it for it in contents if not it.decoded_anew]
        by_file = self._vectors({it.sha256 for it in as_before}, model)
        found = {it.key: by_file[it.sha256] for it in as_before if it.sha256 in by_file}
        found |= self._vectors({it.key for it in contents} - found.keys(), model)
        twins = self._known.twins({it.identity for it in as_before} - found.keys())
        by_twin = self._vectors({it.sha256 for it in twins}, model)
        return found | {it.identity: by_twin[it.sha256] for it in twins if it.sha256 in by_twin}

    def _vectors(self, keys: Collection[str], model: str) -> dict[str, Features]:
        if not keys:
            return {}
        mask = _mask(model)
        asked = json.dumps({key: _key(key, mask) for key in keys})
        found = {key: _unpack(n, stored) for key, n, stored in self._fetch(_FIND, asked, model)}
        return {key: value for key, value in found.items() if value is not None}

    def put_many(self, items: Mapping[str, Features], model: str) -> None:
        """Remember features, all of them or none; earlier ones of the same image and model are replaced.

        Args:
            items: key of a content, or sha256 of its file -> float32, shape (d,), d >= 1.
            model: hash of the model that made them.

        Raises:
            ShapeError: a value is not a non-empty 1-D float32 array. Nothing is remembered then.
        """
        mask = _mask(model)
        rows = []
        for digest, value in items.items():
            if value.ndim != 1 or value.dtype != np.float32 or not value.size:
                raise ShapeError(
                    f"features of image {digest[:12]} have shape {value.shape} and type {value.dtype}, "
                    "but the cache keeps float32 of shape (d,) with d >= 1; pass one vector per image"
                )
            rows.append((_key(digest, mask), model, digest, value.size, _pack(value)))
        self._store(_KEEP, rows)

    def digest_many(self, paths: Sequence[Path]) -> tuple[dict[Path, Content], dict[Path, ImageError]]:
        """What each file holds, and what was wrong with the others.

        Args:
            paths: image files; the same one twice is read once, an unchanged one is not read again.

        Returns:
            two dicts in the order of ``paths``: path -> content, and path -> error. Every path
            is in exactly one of them.
        """
        return self._known.read(paths)

    def recall_many(self, paths: Sequence[Path]) -> dict[Path, Content]:
        """What each file holds, of those that are as they were when last read; no file is opened.

        Args:
            paths: image files; those that are not remembered are not in the answer.
        """
        return self._known.recall(paths)

    def remember(self, contents: Collection[Content]) -> None:
        """Remember which picture each content holds, of contents that did not come from a file of ours."""
        self._known.remember(contents)

    def contents_of(self, digests: Collection[str]) -> dict[str, Content]:
        """What is remembered of files of which only the sha256 is at hand, by that."""
        return {content.sha256: content for content in self._known.pictures(digests)}

    def named(self, prefix: str) -> list[Content]:
        """What is remembered under names that begin so, where something else than a sha256 was the name."""
        return self._known.beginning_with(prefix)

    def holders(self, identities: Collection[str]) -> list[Content]:
        """All contents that are remembered to hold one of these pictures."""
        return self._known.twins(identities)

    def forget(self, names: Collection[str], contents: Collection[Content]) -> None:
        """Forget names, and contents with their features under every model; they are overwritten.

        Where that cannot be written, as on a full disk, the file is deleted: all in it can be made again.

        Args:
            names: what contents are called.
            contents: pictures that nobody is to have any more.

        Raises:
            CacheError: neither could be done.
        """
        if self._file is None or not (names or contents):
            return
        keys = {key for it in contents for key in (it.sha256, it.identity, it.key)}
        masks = [_mask(model) for (model,) in self._fetch("SELECT DISTINCT model FROM features")]
        rows = [(_key(key, mask),) for key in keys for mask in masks]
        digests = [(digest,) for digest in (*names, *(it.sha256 for it in contents))]

        def delete(connection: sqlite3.Connection) -> None:
            with connection:
                connection.executemany("DELETE FROM features WHERE key = ?", rows)
                connection.executemany("DELETE FROM pictures WHERE digest = ?", digests)

        try:
            self._file.demand(delete)
        except CacheError:
            self._file.delete()

    def info(self) -> CacheInfo:
        """What the cache holds; a cache file that does not exist is not created.

        Raises:
            CacheError: there is a cache file, but it cannot be read.
        """
        if self._file is None or not self._file.path.exists():
            path = None if self._file is None else self._file.path
            return CacheInfo(path=path, n_bytes=0, n_entries=0, models={})
        models = self._file.demand(_count)
        n_bytes = self._file.path.stat().st_size
        return CacheInfo(path=self._file.path, n_bytes=n_bytes, n_entries=sum(models.values()), models=models)

    def clear(self, model: str | None = None) -> int:
        """Forget the features of one model, or all features and file digests, and shrink the file.

        Args:
            model: hash of the model to forget; None forgets everything.

        Returns:
            the number of feature vectors removed.

        Raises:
            CacheError: there is a cache file, but it cannot be changed.
        """
        if self._file is None or not self._file.path.exists():
            return 0
        removed = self._file.demand(_count)
        if model is None:
            self._file.delete()
            return sum(removed.values())
        self._file.demand(lambda connection: _forget(connection, model))
        return removed.get(model, 0)

    def _fetch(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        return [] if self._file is None else self._file.fetch(query, values)

    def _store(self, query: str, rows: Sequence[tuple[object, ...]]) -> None:
        if self._file is not None and rows:
            self._file.store(query, rows)


def _count(connection: sqlite3.Connection) -> dict[str, int]:
    return dict(connection.execute("SELECT model, count(*) FROM features GROUP BY model ORDER BY model"))


def _forget(connection: sqlite3.Connection, model: str) -> None:
    with connection:
        connection.execute("DELETE FROM features WHERE model = ?", (model,))
    with suppress(sqlite3.Error):  # Another process is busy with the file, or the disk is full.
        connection.execute("VACUUM")


def _mask(model: str) -> int:
    """60 bits that differ between models; see the key in ``generic/cache/file.py``."""
    return int(hashlib.sha256(model.encode()).hexdigest()[:15], 16)


def _key(digest: str, mask: int) -> int:
    return int(digest[-15:], 16) ^ mask


def _pack(value: Features) -> bytes:
    content = value.astype(_STORED).tobytes()
    return content + _checksum(content)


def _unpack(n: int | None, stored: bytes | None) -> Features | None:
    """The vector of a row, shape (n,); None if it is damaged. Releases before stored no checksum."""
    if not n or not stored or not 0 < 4 * n <= len(stored):
        return None
    content, check = stored[: 4 * n], stored[4 * n :]
    return np.frombuffer(content, _STORED) if check in (b"", _checksum(content)) else None


def _checksum(content: bytes) -> bytes:
    # Five bytes, so that no vector with a checksum has the length of a longer one without.
    return zlib.crc32(content).to_bytes(5, "little")
