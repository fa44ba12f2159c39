"""What EXIF and XMP say of a photo: which side is up, when it was taken, and where the rest of it stands.

The side is read as the decoder reads it (:mod:`generic.photos.open`): EXIF first, else XMP.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from generic.photos.formats.directory import SHORT, Directories, Directory
from generic.photos.formats.source import Odd, Part, part

ORIENTATION = 0x0112
_INSIDE = 0x8769
_TAKEN, _FRACTION, _ZONE = 0x9003, 0x9291, 0x9011
_EARLIEST = 1826  # the year of the oldest photograph that is left


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a photo's file says before its pixels."""

    size: tuple[int, int] | None
    """Width and height in pixels as stored, before the photo is turned upright; None if unknown."""
    orientation: int
    """1 to 8, as EXIF counts; 5 and above exchange width and height."""
    first: Directory | None
    """The first directory of EXIF; None if there is none that can be read."""
    details: Directory | None
    """The directory with the capture time."""
    xmp: Part | None
    """The XMP packet as it stands in the file; None if there is none."""


_MARK = b"Exif\0\0"
_IN_XMP = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')


def header_of(
    size: tuple[int, int] | None, exif: Part | None, xmp: Part | None, otherwise: int = 1
) -> Header:
    """What a file with these blocks says.

    Args:
        size: width and height in pixels as stored.
        exif: with or without its mark ``Exif``; None if there is none.
        xmp: the packet; None if there is none.
        otherwise: the orientation if neither says any.
    """
    first = first_of(exif)
    return Header(
        size=size,
        orientation=turn_of(exif, xmp, otherwise),
        first=first,
        details=details(exif),
        xmp=xmp,
    )


def turn_of(exif: Part | None, xmp: Part | None, otherwise: int = 1) -> int:
    """The orientation, 1 to 8, of a photo with these blocks.

    Args:
        exif: with or without its mark ``Exif``; None if there is none.
        xmp: as it stands in the file; None if there is none.
        otherwise: if neither says anything.
    """
    try:
        return turn(orientation(exif), xmp, otherwise)
    except Odd:
        return 1


def turn(said: int | None, xmp: Part | None, otherwise: int = 1) -> int:
    """As :func:`turn_of`, for what EXIF said; what is impossible counts as upright, 1."""
    value = _in_xmp(xmp) if said is None else said
    return otherwise if value is None else value if 1 <= value <= 8 else 1


def turn_part(exif: Part | None, xmp: Part | None, otherwise: int = 1) -> bytes:
    """What an identity keeps of these blocks: the orientation, or all of an EXIF block that is odd."""
    try:
        return part("turn", b"%d" % turn(orientation(exif), xmp, otherwise))
    except Odd:
        return part("odd exif", exif or b"") + b"%d" % (_in_xmp(xmp) or 0)


def orientation(exif: Part | None) -> int | None:
    """What the EXIF block says of it, as it stands there; None if it says nothing.

    Raises:
        Odd: programs may differ in what they read.
    """
    content = unmarked(exif)
    return said_by(_first(content)) if content else None


def said_by(directory: Directory) -> int | None:
    """As :func:`orientation`, for a directory."""
    entry = directory.entries.get(ORIENTATION)
    if entry is None:
        return None
    if ORIENTATION in directory.repeated or entry.kind != SHORT or entry.count != 1:
        raise Odd
    return directory.one(ORIENTATION, 1)


def first_of(exif: Part | None) -> Directory | None:
    """The first directory of an EXIF block; None if there is none that can be read."""
    content = unmarked(exif)
    try:
        return _first(content) if content else None
    except Odd:
        return None


def details(exif: Part | None) -> Directory | None:
    """The directory with the capture time, in an EXIF block; None if there is none."""
    try:
        first = _first(unmarked(exif))
        return details_of(Directories(unmarked(exif)), first)
    except Odd:
        return None


def details_of(directories: Directories, first: Directory) -> Directory | None:
    """The directory with the capture time, that another one points to; None if there is none."""
    try:
        at = first.one(_INSIDE, 0)
        return directories.read(at) if at else None
    except Odd:
        return None


def taken(directory: Directory | None) -> str | None:
    """When the photo was taken, ISO 8601, local time, with fraction and zone where they are given.

    Args:
        directory: as from :func:`details`.

    Returns:
        for example ``2024-05-06T07:08:09.25+02:00``; None if unknown or impossible.
    """
    if directory is None:
        return None
    try:
        moment = datetime.strptime(_text(directory, _TAKEN), "%Y:%m:%d %H:%M:%S")
    except ValueError:
        return None
    fraction, zone = _text(directory, _FRACTION), _text(directory, _ZONE)
    if moment.year < _EARLIEST:
        return None
    return (
        moment.isoformat()
        + (f".{fraction}" if re.fullmatch(r"[0-9]{1,9}", fraction) else "")
        + (zone if re.fullmatch(r"[+-](?:0[0-9]|1[0-4]):[0-5][0-9]|Z", zone) else "")
    )


def unmarked(exif: Part | None) -> bytes:
    """The block from its TIFF header on; empty if there is none."""
    content = bytes(exif or b"")
    while content.startswith(_MARK):
        content = content[len(_MARK) :]
    return content


def _first(content: bytes) -> Directory:
    # Pillow knows no BigTIFF in an EXIF block.
    directories = Directories(content, versions=(42,))
    return directories.read(directories.first)


def _text(directory: Directory, tag: int) -> str:
    try:
        return bytes(directory.raw(tag)[:64]).split(b"\0")[0].strip().decode("ascii", "replace")
    except Odd:
        return ""


def _in_xmp(xmp: Part | None) -> int | None:
    found = _IN_XMP.search(xmp) if xmp else None
    return int(found[1]) if found else None
