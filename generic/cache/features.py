"""Frozen features, remembered per (image content, model) in one SQLite file of the user's own.

A cache may be lost at any time and must never fail a job: whatever goes wrong with the file (full
disk, no permission, a lock that is never released, damage), the caller gets "not remembered" and
the log gets one warning. Only ``info`` and ``clear``, which a person asks for, raise. Neither names
nor folders of images are stored: hashes, numbers and times only.
"""

from __future__ import annotations

import errno
import hashlib
import os
import sqlite3
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from generic.cache.file import CacheFile, fetch
from generic.errors import ImageError, ShapeError

Features = npt.NDArray[np.float32]
Item = TypeVar("Item")

_FILE_NAME = "piaa-features.sqlite"
_STORED = np.dtype("<f4")  # the same bytes on every machine
_CHUNK = 5_000  # parameters of one query; SQLite's own limit is 32,766
_RACY_NS = 2_000_000_000


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
    """Size on disk in bytes, with the journal."""
    n_entries: int
    """Number of feature vectors."""
    models: dict[str, int]
    """Number of feature vectors per model hash."""


class FeatureCache:
    """Feature vectors by (sha256 of the image file, model hash), and those sha256 by file.

    One object may be used from several threads, and several processes may use one folder. Do not
    carry an open cache across a fork: open a new one in the child.

    Args:
        folder: where the cache file lies; created when first needed. None remembers nothing.
        timeout_s: how long to wait for another process's lock, in seconds.
    """

    def __init__(self, folder: Path | None, *, timeout_s: float = 5.0) -> None:
        self._file = None if folder is None else CacheFile(Path(folder) / _FILE_NAME, timeout_s)

    @classmethod
    def open(cls, folder: Path | None, *, timeout_s: float = 5.0) -> FeatureCache:
        """A cache whose file is already open, so that a warning comes before the work and not within."""
        cache = cls(folder, timeout_s=timeout_s)
        if cache._file is not None:
            cache._file.run(lambda _: None, None)
        return cache

    def __enter__(self) -> FeatureCache:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file. Using the cache afterwards raises CacheError; closing twice does no harm."""
        if self._file is not None:
            self._file.close()

    def get_many(self, digests: Sequence[str], model: str) -> dict[str, Features]:
        """The remembered features of these images.

        Args:
            digests: sha256 of the image files, as from ``digest``.
            model: hash of the model that made the features.

        Returns:
            for each digest that is remembered: float32, shape (d,), read-only. A stored value of
            the wrong size counts as not remembered.
        """
        found: dict[str, Features] = {}
        if self._file is None:
            return found
        mask = _mask(model)
        for part in _parts(digests, _CHUNK):
            wanted = set(part)
            keys = [_key(digest, mask) for digest in part]
            # The plus keeps SQLite from walking all features of the model instead of these keys.
            where = f"WHERE +model = ? AND key IN ({_marks(keys)})"
            query = f"SELECT digest, n, value FROM features {where}"  # noqa: S608  (only question marks)
            rows: list[tuple[str, int, bytes]] = self._file.run(fetch(query, (model, *keys)), [])
            for digest, n, value in rows:
                if digest in wanted and isinstance(value, bytes) and 0 < len(value) == 4 * n:
                    found[digest] = np.frombuffer(value, _STORED)
        return found

    def put_many(self, items: Mapping[str, npt.NDArray[np.float32]], model: str) -> None:
        """Remember features, all of them or none; earlier ones of the same image and model are replaced.

        Args:
            items: sha256 of the image file -> float32, shape (d,), d >= 1.
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
            rows.append((_key(digest, mask), model, digest, value.size, value.astype(_STORED).tobytes()))
        if rows and self._file is not None:
            query = "INSERT OR REPLACE INTO features (key, model, digest, n, value) VALUES (?, ?, ?, ?, ?)"
            self._file.run(lambda connection: connection.executemany(query, rows), None, writes=True)

    def digest(self, path: Path) -> str:
        """The sha256 of a file's content, 64 hex digits; an unchanged file is not read again.

        Raises:
            ImageError: the file is missing, cannot be read or is no regular file.
        """
        digests, errors = self.digest_many([path])
        if path in errors:
            raise errors[path]
        return digests[path]

    def digest_many(self, paths: Sequence[Path]) -> tuple[dict[Path, str], dict[Path, ImageError]]:
        """The sha256 of each file's content, and what was wrong with the others.

        Args:
            paths: image files; the same one twice is read once.

        Returns:
            two dicts in the order of ``paths``: path -> 64 hex digits, and path -> error. Every path
            is in exactly one of them.
        """
        digests: dict[Path, str] = {}
        errors: dict[Path, ImageError] = {}
        for part in _parts(list(dict.fromkeys(paths)), 500):
            identities: dict[Path, tuple[str, str]] = {}
            for path in part:
                try:
                    identities[path] = _identity(_regular(path))
                except (OSError, ValueError) as error:
                    errors[path] = _unreadable(path, error)
            known = self._known([inode for inode, _ in identities.values()])
            memos: list[tuple[str, str, str]] = []
            for path, identity in identities.items():
                try:
                    digests[path] = known.get(identity) or _hash(path, memos)
                except OSError as error:
                    errors[path] = _unreadable(path, error)
            self._memorise(memos)
        return digests, errors

    def info(self) -> CacheInfo:
        """What the cache holds; a cache file that does not exist is not created.

        Raises:
            CacheError: there is a cache file, but it cannot be read.
        """
        if self._file is None:
            return CacheInfo(path=None, n_bytes=0, n_entries=0, models={})
        if not self._file.path.exists():
            return CacheInfo(path=self._file.path, n_bytes=0, n_entries=0, models={})
        query = "SELECT model, count(*) FROM features GROUP BY model ORDER BY model"
        models: dict[str, int] = dict(self._file.demand(fetch(query)))
        return CacheInfo(
            path=self._file.path,
            n_bytes=self._file.n_bytes(),
            n_entries=sum(models.values()),
            models=models,
        )

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
        if model is None:
            return self._file.empty()

        def forget(connection: sqlite3.Connection) -> int:
            return connection.execute("DELETE FROM features WHERE model = ?", (model,)).rowcount

        removed = self._file.demand(forget, writes=True)
        self._file.shrink()
        return removed

    def _known(self, inodes: Sequence[str]) -> dict[tuple[str, str], str]:
        if self._file is None or not inodes:
            return {}
        query = f"SELECT inode, stamp, digest FROM files WHERE inode IN ({_marks(inodes)})"  # noqa: S608  (only question marks)
        rows: list[tuple[str, str, str]] = self._file.run(fetch(query, inodes), [])
        return {(inode, stamp): digest for inode, stamp, digest in rows}

    def _memorise(self, memos: Sequence[tuple[str, str, str]]) -> None:
        if self._file is not None and memos:
            query = "INSERT OR REPLACE INTO files (inode, stamp, digest) VALUES (?, ?, ?)"
            self._file.run(lambda connection: connection.executemany(query, memos), None, writes=True)


def _parts(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))


def _mask(model: str) -> int:
    """60 bits that differ between models; see the key in ``generic/cache/file.py``."""
    return int(hashlib.sha256(model.encode()).hexdigest()[:15], 16)


def _key(digest: str, mask: int) -> int:
    return int(digest[-15:], 16) ^ mask


def _regular(path: Path) -> os.stat_result:
    """The status of a regular file; opening a named pipe would wait for ever."""
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file")
    return status


def _identity(status: os.stat_result) -> tuple[str, str]:
    """Which file it is, and a stamp that changes with every change of its content."""
    inode = f"{status.st_dev}:{status.st_ino}"
    return inode, f"{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}"


def _hash(path: Path, memos: list[tuple[str, str, str]]) -> str:
    """The sha256 of a file; adds (inode, stamp, digest) to ``memos`` if the stamp can be relied on.

    The stamp is only as fine as the file system's clock: milliseconds on most, 2 s on FAT. A file
    that changes after we read it, within the same tick and at the same size, keeps its stamp, and
    the memo would be wrong for ever. Git calls such entries "racily clean". So a digest is memorised
    only if the last change lies more than 2 s before the reading: any later change then shows. A
    change while we read shows as a difference between the status before and after.
    """
    started = time.time_ns()
    with path.open("rb", buffering=0) as file:
        before = os.fstat(file.fileno())
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        after = os.fstat(file.fileno())
    inode, stamp = _identity(before)
    settled = max(before.st_mtime_ns, before.st_ctime_ns) + _RACY_NS < started
    if settled and before.st_ino and _identity(after) == (inode, stamp):
        memos.append((inode, stamp, digest))
    return digest


def _unreadable(path: Path, error: OSError | ValueError) -> ImageError:
    if isinstance(error, FileNotFoundError):
        reason = "there is no such file; check its name and folder"
    elif isinstance(error, PermissionError):
        reason = "no permission to read it; change its permissions (chmod u+r)"
    elif isinstance(error, OSError):
        reason = f"{error.strerror}; name an image file"
    else:
        reason = f"{error}; name an image file"
    return ImageError(f"cannot read image {str(path)!r}: {reason}")
