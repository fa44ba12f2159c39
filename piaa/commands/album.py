"""The photos of a folder, and a word about what else lies there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from generic.photos.find import find_named, printable
from piaa.commands.terminal import note


def find_and_say(photos: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """As :func:`~generic.photos.find.find_named`: photos and their names; on stderr, what was passed over.

    Raises:
        ImageError: a folder cannot be read, or holds no photo.
    """
    album, names = find_named(photos)
    if album.n_paired == 1:
        note("1 raw photo lies beside a JPEG of the same name; the JPEG is looked at, and both are one photo")
    elif album.n_paired:
        note(
            f"{album.n_paired} raw photos lie beside JPEGs of the same names; the JPEGs are looked at, "
            "and each pair is one photo"
        )
    if album.others:
        note(passed_over(album.others))
    return album.photos, names


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
