"""Stars and flags in a Lightroom Classic catalogue, which is a SQLite file.

Nothing is written, not even beside it: a catalogue at rest is opened as a file that does not change, which
takes no lock and makes no helper file; one that Lightroom has open is copied first, with the journal that
holds its latest changes.
"""

from __future__ import annotations

import errno
import shutil
import sqlite3
import tempfile
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from generic.errors import StarsError
from generic.photos.find import printable
from piaa.stars.marks import LIGHTROOM, Mark, mark_of

_JOURNALS = ("-wal", "-journal")
_TABLES = ("Adobe_images", "AgLibraryFile", "AgLibraryFolder", "AgLibraryRootFolder")
_PHOTOS = """
    SELECT root.absolutePath, folder.pathFromRoot, file.baseName, file.extension, image.rating, image.pick
    FROM Adobe_images AS image JOIN AgLibraryFile AS file ON file.id_local = image.rootFile
    JOIN AgLibraryFolder AS folder ON folder.id_local = file.folder
    JOIN AgLibraryRootFolder AS root ON root.id_local = folder.rootFolder
    WHERE image.masterImage IS NULL ORDER BY image.id_local"""
_PICKS: dict[float | None, str] = {1: "pick", -1: "reject"}
_TRIES = 3


@dataclass(frozen=True)
class Catalogue:
    """What a catalogue says of photos, by where they lay when it was written."""

    marks: Mapping[str, Mapping[PurePosixPath, Mark]]
    """By file name, then by path, both :func:`plain`."""

    def mark(self, path: Path, root: Path) -> Mark | None:
        """What it says of a photo; None if it has none of that name there.

        A catalogue may come from another machine, or the photos may have moved: then the path below the
        folder decides, with the folder's own name if that helps.

        Args:
            path: the file.
            root: the folder that was asked for.

        Raises:
            ValueError: several photos could be meant, of which it says different things.
        """
        known = self.marks.get(plain(path.name).name, {})
        exact = known.get(plain(path.absolute().as_posix()))
        if exact is not None:
            return exact
        below = path.absolute().relative_to(root.absolute().parent)
        for tail in (below, PurePosixPath(*below.parts[1:])):
            parts = plain(tail.as_posix()).parts
            # By its name alone a photo of quite another folder could be meant.
            found = {
                mark for one, mark in known.items() if len(parts) > 1 and one.parts[-len(parts) :] == parts
            }
            if len(found) > 1:
                raise ValueError(f"several photos in {LIGHTROOM} could be meant, with different stars")
            if found:
                return found.pop()
        return None


def plain(path: str) -> PurePosixPath:
    """A path as Windows and macOS compare them: neither the case nor the form of letters counts."""
    return PurePosixPath(unicodedata.normalize("NFC", path).casefold())


def read_catalogue(path: Path) -> Catalogue:
    """All photos of a catalogue but virtual copies.

    Args:
        path: the ``.lrcat`` file; Lightroom may have it open.

    Raises:
        StarsError: it is no catalogue, or cannot be read.
    """
    shown = printable(str(path))
    if not path.is_file():
        raise StarsError(f"there is no file {shown}; name the .lrcat file itself with --lightroom")
    try:
        rows = _rows(path, shown)
    except sqlite3.Error as error:
        raise StarsError(
            f"{shown} is no Lightroom catalogue: {error}; name the .lrcat file itself with --lightroom "
            "(it is unchanged)"
        ) from None
    except OSError as error:
        where = "the folder for temporary files is full" if error.errno == errno.ENOSPC else error.strerror
        raise StarsError(f"{shown} cannot be read: {where}; close Lightroom or free some space") from None
    marks: dict[str, dict[PurePosixPath, Mark]] = {}
    for *parts, rating, pick in rows:
        place = plain("".join((parts[0], parts[1], parts[2], "." * bool(parts[3]), parts[3])))
        marks.setdefault(place.name, {})[place] = mark_of(LIGHTROOM, rating, _PICKS.get(pick))
    return Catalogue(marks)


def _rows(path: Path, shown: str) -> list[tuple[str, str, str, str, float | None, float | None]]:
    for _ in range(_TRIES):
        before = _stamp(path)
        with _opened(path) as connection:
            _check_tables(connection)
            rows = [_checked(row) for row in connection.execute(_PHOTOS)]
        if _stamp(path) == before:
            return rows
    raise StarsError(f"{shown} is being changed at this moment; try again when Lightroom is at rest")


def _stamp(path: Path) -> list[tuple[int, int]]:
    there = [status for one in (path, *_journals(path)) if (status := one.stat())]
    return [(status.st_size, status.st_mtime_ns) for status in there]


def _journals(path: Path) -> list[Path]:
    """Files beside it that hold changes which are not in it yet."""
    beside = [path.with_name(path.name + ending) for ending in _JOURNALS]
    return [one for one in beside if one.is_file() and one.stat().st_size]


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    journals = _journals(path)
    with tempfile.TemporaryDirectory(prefix="piaa-lightroom-") as folder:
        ways = "?mode=ro&immutable=1"
        if journals:
            for one in (path, *journals):
                shutil.copyfile(one, Path(folder) / one.name)
            path, ways = Path(folder) / path.name, ""
        with closing(sqlite3.connect(path.absolute().as_uri() + ways, uri=True)) as connection:
            connection.text_factory = lambda raw: raw.decode(errors="replace")
            yield connection


def _check_tables(connection: sqlite3.Connection) -> None:
    """Tables only: a view could go on for ever."""
    made = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE 'CREATE TABLE%'"
    missing = set(_TABLES) - {name for (name,) in connection.execute(made)}
    if missing:
        raise sqlite3.DatabaseError(f"no such table: {min(missing)}")


def _checked(row: tuple[object, ...]) -> tuple[str, str, str, str, float | None, float | None]:
    *parts, rating, pick = row
    texts = ["" if one is None else one for one in parts]
    numbers = all(one is None or isinstance(one, int | float) for one in (rating, pick))
    sound = rating is None or (isinstance(rating, int | float) and rating in range(-1, 6))
    if not (all(isinstance(one, str) for one in texts) and numbers and sound):
        raise sqlite3.DatabaseError(f"a photo with the values {row!r:.200}")
    return (*texts, rating, pick)  # type: ignore[return-value]
