"""The best photos in a folder of their own, copied or linked; what lies there is never touched.

Each photo keeps its name. A name that is taken is told and its photo left out, unless it is taken by the same
photo, as when a command is given twice. No link is followed that lies in the folder.
"""

from __future__ import annotations

import errno
import filecmp
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from generic.errors import OutputError
from generic.photos.find import printable
from generic.photos.outside import create
from generic.words import counted
from piaa.ratings.spelling import escaped

How = Literal["copy", "link"]
_DONE = {"copy": "copied", "link": "linked"}


@dataclass(frozen=True, kw_only=True)
class Placed:
    """What became of the best photos."""

    folder: Path
    how: How
    placed: tuple[str, ...]
    """Names of the files that are new in the folder, the best first."""
    there: tuple[str, ...]
    """Names of those that were there already, the same photo."""
    clashes: tuple[str, ...]
    """Photos that were left out, since another file has their name or they cannot be read."""
    beside: frozenset[str] = frozenset()
    """Names among all these that are further files of a photo: the raw one of a JPEG."""

    def lines(self) -> list[str]:
        """For a person."""
        placed, there = (
            [name for name in names if name not in self.beside] for names in (self.placed, self.there)
        )
        raws = len(self.placed) - len(placed)
        text = f"{counted(len(placed), 'photo')} {_DONE[self.how]} to {printable(str(self.folder))}"
        text += f", with {counted(raws, 'raw file')}" if raws else ""
        text += f", {counted(len(there), 'photo')} there already" if there else ""
        return [text, *(f"not {_DONE[self.how]}: {clash}" for clash in self.clashes)]

    def facts(self) -> dict[str, object]:
        """For JSON."""
        return {
            "folder": str(self.folder),
            "how": self.how,
            "placed": list(self.placed),
            "there_already": list(self.there),
            "clashes": list(self.clashes),
        }


def place_best(
    photos: Iterable[Path], folder: Path, how: How, beside: Mapping[Path, Sequence[Path]] | None = None
) -> Placed:
    """Copy photos into a folder, or link to them from it.

    A copy keeps the photo's times. A link is a symbolic one to the photo's absolute path.

    Args:
        photos: the files, the best first.
        folder: where; made if it is missing. :func:`generic.photos.outside.check_outside` says if it may be.
        how: ``copy`` or ``link``.
        beside: raw files of photos, which go where these go.

    Raises:
        OutputError: a file cannot be written; those before it are in the folder.
    """
    create(folder)
    placed: list[str] = []
    there: list[str] = []
    clashes: list[str] = []
    others = beside or {}
    for photo in (file for one in photos for file in (one, *others.get(one, ()))):
        target = folder / photo.name
        try:
            (_link if how == "link" else _copy)(photo, target)
        except FileExistsError:
            if _same(photo, target, how):
                there.append(escaped(photo.name))
            else:
                clashes.append(f"{printable(str(photo))}, since {printable(str(target))} is another file")
        except OSError as error:
            if error.filename != str(photo):
                raise OutputError(_explain(photo, target, how, error, len(placed))) from error
            # The photo itself went away, or cannot be read: the others can.
            clashes.append(f"{printable(str(photo))}: {error.strerror or error}")
        else:
            placed.append(escaped(photo.name))
    return Placed(
        folder=folder,
        how=how,
        placed=tuple(placed),
        there=tuple(there),
        clashes=tuple(clashes),
        beside=frozenset(escaped(file.name) for some in others.values() for file in some),
    )


def _link(photo: Path, target: Path) -> None:
    target.symlink_to(photo.absolute())


def _copy(photo: Path, target: Path) -> None:
    """The file under a hidden name first, so that a copy is whole or is not there."""
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    temporary = target.parent / f".piaa-{os.urandom(6).hex()}{target.suffix}"
    try:
        with photo.open("rb") as source, temporary.open("xb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
            copy.flush()
            os.fsync(copy.fileno())
        with suppress(OSError):  # some disks keep no times or permissions
            shutil.copystat(photo, temporary)
        # Takes the name, if nobody did meanwhile; a rename alone would replace what has it.
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _same(photo: Path, target: Path, how: How) -> bool:
    """Whether what has the name is what would have been written."""
    with suppress(OSError):
        if how == "link":
            return target.is_symlink() and target.readlink() == photo.absolute()
        return not target.is_symlink() and filecmp.cmp(photo, target, shallow=False)
    return False


def _explain(photo: Path, target: Path, how: How, error: OSError, n_placed: int) -> str:
    cure = (
        "copy the photos instead (--copy-top)" if how == "link" else "free some space or name another folder"
    )
    return (
        f"cannot {how} {printable(str(photo))} to {printable(str(target))}: {error.strerror or error}; "
        f"{counted(n_placed, 'photo')} before it {'is' if n_placed == 1 else 'are'} there; {cure}"
    )
