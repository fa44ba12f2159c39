"""A folder for what is made of photos: neither a link to elsewhere nor among the photos themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from generic.errors import OutputError
from generic.photos.find import printable


def check_outside(folder: Path, roots: Sequence[Path]) -> None:
    """Refuse a folder that must not be written to, before the work and not after it.

    Args:
        folder: to be written to; it may be missing.
        roots: folders and files that the photos are searched in.

    Raises:
        OutputError: it is a link or a file, lies in a folder that does not exist, is searched for photos, or
            nothing can be called so.
    """
    shown = printable(str(folder))
    try:
        folder.lstat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:  # a name longer than the disk takes, a folder that must not be looked into
        raise OutputError(f"cannot write into {shown}: {error.strerror}; name another folder") from None
    if folder.is_symlink():
        raise OutputError(
            f"cannot write into {shown}: it is a link to {printable(str(folder.readlink()))}; "
            "name the folder itself"
        )
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"cannot write into {shown}: it is no folder; name a folder or a new name")
    parent = folder.absolute().parent
    if not parent.is_dir():
        raise OutputError(
            f"cannot write into {shown}: the folder {printable(str(parent))} does not exist; create it first"
        )
    for root in roots:
        if root.is_dir() and folder.resolve().is_relative_to(root.resolve()):
            raise OutputError(
                f"cannot write into {shown}: it lies in {printable(str(root))}, whose photos are ranked, and "
                "what is written would be ranked with them next time; name a folder elsewhere"
            )


def create(folder: Path) -> None:
    """Make the folder unless it is there.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot create the folder {printable(str(folder))}: {error.strerror}; name another"
        ) from error
