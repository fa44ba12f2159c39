"""Photo files found in folders: by their names alone, without reading a pixel.

Imports neither numpy nor Pillow, because much that lists photos never opens one.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from generic.errors import ImageError

SUFFIXES = (
    *(".arw", ".avif", ".bmp", ".cr2", ".cr3", ".dng", ".gif", ".heic", ".heif", ".jfif"),
    *(".jpe", ".jpeg", ".jpg", ".nef", ".orf", ".pef", ".png", ".raf", ".rw2", ".srw", ".tif"),
    *(".tiff", ".webp"),
)
"""Endings of the files that `find_images` takes for photos, in lower case."""


def find_images(root: Path | str, *, recursive: bool = True) -> list[Path]:
    """The photos of a folder, sorted by path, recognised by their `SUFFIXES` in any case.

    Names with a leading dot are skipped, files and folders alike, which includes the `._x`
    companions that macOS writes. Links are followed; a folder reached twice is read once.

    Args:
        root: a folder; or a file, which is then the only answer whatever its suffix.
        recursive: also look into the folders inside.

    Returns:
        at least one path, each beginning with root.

    Raises:
        ImageError: root or a folder inside cannot be read, or there is no photo.
    """
    root = Path(root)
    shown = printable(str(root))
    if not stat.S_ISDIR(status(root, shown).st_mode):
        return [root]
    found = sorted(_walk(root, recursive, set()))
    if not found:
        where = "in it or the folders inside" if recursive else "directly in it"
        raise ImageError(f"{shown} holds no photos: no file {where} ends in {' '.join(SUFFIXES)}")
    return found


def find_named(roots: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """The photos of several folders and files, each once, and what to call them.

    Args:
        roots: as for :func:`find_images`; one or more.

    Returns:
        paths, and a name of each: below the only folder, or as the path was given if there are several.

    Raises:
        ImageError: one of them cannot be read, or holds no photo.
    """
    if len(roots) == 1:
        paths = find_images(roots[0])
        root = roots[0] if roots[0].is_dir() else roots[0].parent
        return paths, [path.relative_to(root).as_posix() for path in paths]
    once = {os.path.abspath(path): path for root in roots for path in find_images(root)}  # noqa: PTH100
    paths = list(once.values())
    return paths, [path.as_posix() for path in paths]


def _walk(folder: Path, recursive: bool, seen: set[tuple[int, int]]) -> Iterator[Path]:
    """Photos of one folder and, if recursive, of those inside that are not yet in `seen`."""
    shown = printable(str(folder))
    identity = status(folder, shown)
    if (identity.st_dev, identity.st_ino) in seen:
        return
    seen.add((identity.st_dev, identity.st_ino))
    try:
        # Sorted, so that which of two links to one folder is read does not depend on the disk;
        # real folders first, so that a photo keeps its real path if that lies under root.
        entries = sorted(folder.iterdir(), key=lambda entry: (entry.is_symlink(), entry.name))
    except OSError as error:
        raise unreadable(shown, error) from None
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            if recursive:
                yield from _walk(entry, recursive, seen)
        elif entry.suffix.lower() in SUFFIXES:
            yield entry


def printable(text: str) -> str:
    """What messages call a file: on one line and printable, whatever its name holds."""
    return text if text.isprintable() else repr(text)


def status(path: Path, shown: str) -> os.stat_result:
    """What the file system knows of a path; ImageError instead of OSError."""
    try:
        return path.stat()
    except FileNotFoundError:
        raise ImageError(f"{shown} does not exist; check the path") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name.
        raise unreadable(shown, error) from None


def unreadable(shown: str, error: OSError | ValueError) -> ImageError:
    """What to raise when the system refuses a file or a folder."""
    reason = getattr(error, "strerror", None) or str(error)
    return ImageError(f"{shown} cannot be read: {reason}; check the path and its permissions")
