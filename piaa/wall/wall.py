"""A wall in a folder: its page, ``index.html``, and its pictures; nothing else that lies there is touched."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from generic.atomic import write_bytes
from generic.errors import OutputError
from generic.photos.find import printable
from generic.photos.outside import check_outside, create
from generic.progress import Progress, no_progress
from piaa.wall.page import GENERATOR, page
from piaa.wall.thumbnails import LARGE, SMALL, write_pictures
from piaa.wall.tile import Wall

PAGE = "index.html"
"""Name of a wall's page."""
_HEAD = 4096


def check_wall(folder: Path, roots: Sequence[Path] = ()) -> None:
    """Refuse a folder that must not become a wall, before the work and not after it.

    Args:
        folder: new, empty, or an earlier wall, which is replaced.
        roots: folders and files that the photos are searched in.

    Raises:
        OutputError: it is a link, lies among the photos, or holds something else than a wall.
    """
    check_outside(folder, roots)
    shown = printable(str(folder))
    for part in (folder / PAGE, folder / SMALL, folder / LARGE):
        if part.is_symlink():
            raise OutputError(
                f"cannot write into {shown}: {printable(str(part))} is a link to elsewhere; name another "
                "folder"
            )
    if folder.is_dir() and any(folder.iterdir()) and not _is_wall(folder):
        raise OutputError(f"cannot write into {shown}: it holds files that are no wall; name a new folder")


def write_wall(wall: Wall, folder: Path, progress: Progress = no_progress) -> Path:
    """Write a wall; open ``index.html`` to look at it.

    Args:
        wall: what to show.
        folder: where; made if it is missing. :func:`check_wall` says if it may be.
        progress: called with the number of photos newly done.

    Returns:
        the page.

    Raises:
        OutputError: it must not or cannot be written.
    """
    check_wall(folder)
    for part in (folder, folder / SMALL, folder / LARGE):
        create(part)
    # A wall that is stopped half-way is known as one: the same command goes on with it.
    if not (folder / PAGE).exists():
        write_bytes(folder / PAGE, f"<!doctype html>\n{GENERATOR}\n<p>not finished\n".encode())
    pictures = list(write_pictures(wall.tiles, folder, progress))
    write_bytes(folder / PAGE, page(wall, pictures, folder).encode())
    return folder / PAGE


def _is_wall(folder: Path) -> bool:
    try:
        with (folder / PAGE).open("rb") as stream:
            return GENERATOR.encode() in stream.read(_HEAD)
    except OSError:
        return False
