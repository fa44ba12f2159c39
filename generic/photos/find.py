"""Photo files found in folders: by their names alone, without reading a pixel.

Imports neither numpy nor Pillow, because much that lists photos never opens one.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from generic.errors import ImageError

SUFFIXES = (
    *(".arw", ".avif", ".bmp", ".cr2", ".cr3", ".dng", ".gif", ".heic", ".heif", ".jfif"),
    *(".jpe", ".jpeg", ".jpg", ".nef", ".orf", ".pef", ".png", ".raf", ".rw2", ".srw", ".tif"),
    *(".tiff", ".webp"),
)
"""Endings of the files that `find_images` takes for photos, in lower case."""


RAW_SUFFIXES = (".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".pef", ".raf", ".rw2", ".srw")
"""Those of raw photos."""
JPEG_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif")
"""Those of JPEGs."""
# What programs put beside photos, and tables of ratings: no photos that somebody could miss.
_BESIDE = {
    *(
        ".xmp",
        ".aae",
        ".thm",
        ".pp3",
        ".dop",
        ".cos",
        ".cop",
        ".cot",
        ".on1",
        ".arp",
        ".xml",
        ".json",
        ".jsonl",
    ),
    *(".ndjson", ".csv", ".tsv", ".txt", ".parquet", ".xlsx", ".ods", ".md", ".html", ".log", ".ini", ".db"),
    *(
        ".sqlite",
        ".sqlite3",
        ".lrcat",
        ".lrdata",
        ".safetensors",
        ".onnx",
        ".py",
        ".toml",
        ".yaml",
        ".yml",
        "",
    ),
}


@dataclass(frozen=True)
class Album:
    """What a folder holds."""

    photos: list[Path]
    """Sorted by path; a raw photo beside a JPEG of the same name is no photo of its own."""
    n_paired: int
    """Raw photos for which such a JPEG stands."""
    others: Mapping[str, int]
    """Files of other formats, that are neither photos nor about photos: how many, by suffix in lower case."""


def find_images(root: Path | str, *, recursive: bool = True) -> list[Path]:
    """The photos of a folder, sorted by path, recognised by their `SUFFIXES` in any case.

    Names with a leading dot are skipped, files and folders alike, which includes the `._x`
    companions that macOS writes. Links are followed; a folder reached twice is read once. Of a
    raw photo and a JPEG of the same name in one folder, which a camera writes at once, the JPEG
    stands for both.

    Args:
        root: a folder; or a file, which is then the only answer whatever its suffix.
        recursive: also look into the folders inside.

    Returns:
        at least one path, each beginning with root.

    Raises:
        ImageError: root or a folder inside cannot be read, or there is no photo.
    """
    return find_album(root, recursive=recursive).photos


def find_album(root: Path | str, *, recursive: bool = True) -> Album:
    """As `find_images`, with what else lies there."""
    root = Path(root)
    shown = printable(str(root))
    if not stat.S_ISDIR(status(root, shown).st_mode):
        return Album([root], 0, {})
    files = sorted(_walk(root, recursive, set()))
    photos = [path for path in files if path.suffix.lower() in SUFFIXES]
    if not photos:
        where = "in it or the folders inside" if recursive else "directly in it"
        raise ImageError(f"{shown} holds no photos: no file {where} ends in {' '.join(SUFFIXES)}")
    others = Counter(path.suffix.lower() for path in files)
    shown_once = without_pairs(photos)
    return Album(
        photos=shown_once,
        n_paired=len(photos) - len(shown_once),
        others={it: n for it, n in sorted(others.items()) if it not in _BESIDE and it not in SUFFIXES},
    )


def without_pairs(photos: Sequence[Path]) -> list[Path]:
    """The photos but for raw ones whose JPEG of the same name, in the same folder, is among them."""
    jpegs = {path.with_suffix("") for path in photos if path.suffix.lower() in JPEG_SUFFIXES}
    return [it for it in photos if it.suffix.lower() not in RAW_SUFFIXES or it.with_suffix("") not in jpegs]


def shown_by(photo: Path) -> Path:
    """The file that stands for a photo: the JPEG beside a raw one of the same name, else its own."""
    if photo.suffix.lower() not in RAW_SUFFIXES:
        return photo
    spellings = (photo.with_suffix(spell(it)) for it in JPEG_SUFFIXES for spell in (str.lower, str.upper))
    return next((path for path in spellings if path.is_file()), photo)


def find_named(roots: Sequence[Path]) -> tuple[Album, list[str]]:
    """The photos of several folders and files, each once, and what to call them.

    Args:
        roots: as for :func:`find_images`; one or more.

    Returns:
        what all of them hold, and a name of each photo: below the only folder, or as the path was given if
        there are several.

    Raises:
        ImageError: one of them cannot be read, or holds no photo.
    """
    albums = [find_album(root) for root in roots]
    if len(roots) == 1:
        root = roots[0] if roots[0].is_dir() else roots[0].parent
        return albums[0], [path.relative_to(root).as_posix() for path in albums[0].photos]
    once = {os.path.abspath(path): path for album in albums for path in album.photos}  # noqa: PTH100
    others: Counter[str] = Counter()
    for album in albums:
        others.update(album.others)
    found = Album(list(once.values()), sum(album.n_paired for album in albums), others)
    return found, [path.as_posix() for path in found.photos]


def _walk(folder: Path, recursive: bool, seen: set[tuple[int, int]]) -> Iterator[Path]:
    """Files of one folder and, if recursive, of those inside that are not yet in `seen`."""
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
        else:
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
