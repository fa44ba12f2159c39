"""A folder on a disk or in a bucket, in which files are written whole or not at all."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

from generic.atomic import write_bytes
from generic.errors import ClusterError, OutputError
from generic.photos.find import printable

R = TypeVar("R")
_WAITS = (0.5, 2.0, 8.0)
"""Seconds before a bucket is asked again; the client of the bucket has tried several times by then."""
_FILE = "file://"


@dataclass(frozen=True)
class Stamp:
    """What is known of a file without reading it."""

    size: int
    """In bytes."""
    written: float
    """When: seconds since 1970, by the clock of the disk or the bucket."""


class Folder:
    """A folder by its path, or by an URL that fsspec knows, such as ``s3://bucket/vectors``.

    Args:
        place: the path or the URL; need not exist.
    """

    def __init__(self, place: str) -> None:
        self.shown = printable(place)
        self._local = None if is_bucket(place) else local_path(place)
        self._root = place.rstrip("/")
        self._system = None if self._local is not None else file_system(place)

    def read(self, name: str) -> bytes | None:
        """A file's content; None if there is none of this name.

        Raises:
            ClusterError: it cannot be read.
        """
        try:
            if self._local is not None:
                return (self._local / name).read_bytes()
            content: bytes = patiently(lambda: self._bucket.cat_file(self._inside(name)))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise unreachable(f"{name} in {self.shown}", "read", error) from None
        return content

    def has(self, name: str) -> bool:
        """Whether there is a file of this name.

        Raises:
            ClusterError: the bucket does not say.
        """
        if self._local is not None:
            return (self._local / name).is_file()
        try:
            found: bool = patiently(lambda: self._bucket.isfile(self._inside(name)))
        except OSError as error:
            raise unreachable(f"{name} in {self.shown}", "looked for", error) from None
        return found

    def write(self, name: str, content: bytes) -> None:
        """The file holds this content afterwards, or is as before: by a rename, or by one put.

        What a process that was killed left of the same file goes.

        Raises:
            OutputError: the disk refuses.
            ClusterError: the bucket does.
        """
        if self._local is None:
            try:
                patiently(lambda: self._bucket.pipe_file(self._inside(name), content))
            except OSError as error:
                raise unreachable(f"{name} in {self.shown}", "written", error) from None
            return
        path = self._local / name
        _make(path.parent, self.shown)
        try:
            write_bytes(path, content, mark=f"{path.stem}-")
        except OutputError:
            # Another process wrote the same at the same time, and cleared up.
            if self.read(name) != content:
                raise
        self.sweep(name)

    def sweep(self, name: str) -> None:
        """Remove what killed processes left of a file that is there."""
        if self._local is None:
            return
        path = self._local / name
        for left in path.parent.glob(f".piaa-{path.stem}-*"):
            with suppress(OSError):
                left.unlink()

    def sweep_all(self) -> None:
        """As :meth:`sweep`, for every file that is there."""
        if self._local is None or not self._local.is_dir():
            return
        for left in self._local.glob(".piaa-*-*"):
            stem = left.stem.removeprefix(".piaa-").rpartition("-")[0]
            if left.with_name(f"{stem}{left.suffix}").exists():
                with suppress(OSError):
                    left.unlink()

    def remove(self, name: str) -> None:
        """Remove a file, if it is there; whether it went is no matter."""
        with suppress(OSError):
            if self._local is not None:
                (self._local / name).unlink()
            else:
                self._bucket.rm_file(self._inside(name))

    def stamps(self, inside: str = "") -> dict[str, Stamp]:
        """The files of the folder, or of one inside, without those in folders below; hidden ones neither.

        Raises:
            ClusterError: it cannot be listed.
        """
        try:
            return self._local_stamps(inside) if self._local is not None else self._bucket_stamps(inside)
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as error:
            raise unreachable(self.shown, "listed", error) from None

    def _local_stamps(self, inside: str) -> dict[str, Stamp]:
        found = {}
        with os.scandir(Path(str(self._local)) / inside) as entries:
            for entry in entries:
                if not entry.name.startswith(".") and entry.is_file():
                    status = entry.stat()
                    found[entry.name] = Stamp(status.st_size, status.st_mtime)
        return found

    def _bucket_stamps(self, inside: str) -> dict[str, Stamp]:
        where = self._inside(inside).rstrip("/")
        rows = patiently(lambda: self._bucket.ls(where, detail=True, refresh=True))
        return {
            row["name"].rpartition("/")[2]: Stamp(int(row["size"] or 0), _seconds(row))
            for row in rows
            if row["type"] == "file"
        }

    def _inside(self, name: str) -> str:
        return f"{self._root}/{name}"

    @property
    def _bucket(self) -> Any:  # noqa: ANN401 - a file system of fsspec, which has no types
        return self._system


def is_bucket(place: str) -> bool:
    """Whether a place is an URL that needs fsspec, and not a path or a ``file://`` URL."""
    return "://" in place and not place.startswith(_FILE)


def local_path(place: str) -> Path:
    r"""The path of a place that is no bucket.

    Example:
        >>> str(local_path("file:///photos/a%20b.jpg")), str(local_path("photos"))
        ('/photos/a b.jpg', 'photos')
    """
    if place.startswith(_FILE):
        return Path(os.fsdecode(unquote_to_bytes(place.removeprefix(_FILE))))
    return Path(place)


def place_of(path: Path) -> str:
    """What a table calls a file: its absolute path, or a URL where a name is not UTF-8."""
    text = os.path.abspath(path)  # noqa: PTH100 - a link stays a link
    try:
        text.encode()
    except UnicodeEncodeError:
        return Path(text).as_uri()
    return text


def file_system(place: str) -> Any:  # noqa: ANN401 - of fsspec, which has no types
    """The file system of a URL.

    Raises:
        ClusterError: fsspec knows none, or a package is missing that it needs.
    """
    import fsspec

    try:
        return fsspec.core.url_to_fs(place)[0]
    except (ImportError, ValueError) as error:
        raise ClusterError(
            f"{printable(place)} cannot be opened: {error}; s3:// comes with pip install 'piaa[cluster]', "
            "gs:// with gcsfs, az:// with adlfs"
        ) from None


def patiently(ask: Callable[[], R]) -> R:
    """The answer of a bucket, which is asked again if it fails for a while.

    Raises:
        OSError: it refuses, has no such file, or fails for longer.
    """
    for wait in _WAITS:
        try:
            return ask()
        except (FileNotFoundError, PermissionError, NotADirectoryError):
            raise
        except (OSError, TimeoutError):
            time.sleep(wait)
        except Exception as error:
            if not _is_of_a_client(error):
                raise
            time.sleep(wait)
    try:
        return ask()
    except OSError:
        raise
    except Exception as error:
        if not _is_of_a_client(error):
            raise
        raise OSError(f"{type(error).__name__}: {error}") from None


def unreachable(what: str, done: str, error: OSError) -> ClusterError:
    """What to raise when a bucket or a disk fails."""
    reason = " ".join((error.strerror or str(error) or type(error).__name__).split())
    return ClusterError(
        f"{printable(what)} cannot be {done}: {reason}; what is done stays: check the place and its "
        "permissions, then give the same command again"
    )


def _is_of_a_client(error: Exception) -> bool:
    """Whether it comes from the libraries that talk to buckets, whose errors have no common base."""
    return type(error).__module__.partition(".")[0] in {
        "botocore",
        "aiobotocore",
        "aiohttp",
        "asyncio",
        "gcsfs",
    }


def _make(folder: Path, shown: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unreachable(f"the folder {shown}", "made", error) from None


def _seconds(row: dict[str, Any]) -> float:
    """When a file in a bucket was written; the keys differ among file systems."""
    moment = row.get("LastModified") or row.get("mtime") or row.get("created") or row.get("updated")
    if isinstance(moment, datetime):
        return moment.timestamp()
    return float(moment) if isinstance(moment, int | float) else 0.0
