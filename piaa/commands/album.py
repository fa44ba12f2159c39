"""The photos of a folder, and a word about what else lies there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from generic.photos.find import find_album, printable
from piaa.commands.terminal import note


def find_and_say(photos: Path) -> list[Path]:
    """The photos, as :func:`generic.photos.find.find_images` gives them; on stderr, what was passed over.

    Raises:
        ImageError: the folder cannot be read, or there is no photo.
    """
    album = find_album(photos)
    if album.n_paired == 1:
        note("1 raw photo lies beside a JPEG of the same name; the JPEG is looked at, and both are one photo")
    elif album.n_paired:
        note(
            f"{album.n_paired} raw photos lie beside JPEGs of the same names; the JPEGs are looked at, "
            "and each pair is one photo"
        )
    if album.others:
        note(passed_over(album.others))
    return album.photos


def passed_over(others: Mapping[str, int]) -> str:
    """How many files were not looked at, by suffix.

    Example:
        >>> passed_over({".jxl": 2, ".psd": 1})
        '3 files of other formats were not looked at: 2 .jxl, 1 .psd'
    """
    listed = ", ".join(f"{n} {printable(suffix)}" for suffix, n in others.items())
    n = sum(others.values())
    what = "file of another format was" if n == 1 else "files of other formats were"
    return f"{n} {what} not looked at: {listed}"
