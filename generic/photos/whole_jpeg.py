"""Whether a JPEG is whole, and how much work it may ask for.

The decoder itself says what it had to invent: where it warns of corrupt data or of a premature end,
rows are missing or wrong, and the photo is refused. Three more rules catch what it cannot see:

- Sixty-four zero bytes in a row, in a scan whose codes give zeros a meaning other than "no detail
  here", are a hole that a disk or a transfer left: they would mean block after block with all 63
  waves at once, or a gradient that goes on below black. Data after a hole often fit again, so that
  nothing is left over or short.
- A progressive photo whose scans announce bits that no scan brings was cut between two scans.
- So many pixels that there is not one bit for each block cannot be in the file. Only arithmetic codes
  can say more in less; of these the decoder does not see a missing end, so they must have EOI.

A photo that only lacks the marker EOI, or has zeros before it, is whole if all rows are. What is
told about the photo (APPn, COM) does not count, nor what lies behind it in the head, nor what follows
EOI. Of a kind that simplejpeg does not know, such as four inks in an unusual ratio, Pillow decodes
what there is: there the first of the rules is missing.
"""

from __future__ import annotations

from itertools import islice

import simplejpeg

from generic.errors import ImageError
from generic.photos.formats.jpeg import read_head
from generic.photos.formats.jpeg_junk import without_junk
from generic.photos.formats.jpeg_scans import Scan, bare, read_scans
from generic.photos.formats.source import Endless, Odd, Source, number

MOST_SEGMENTS = 1000
"""Before the picture, each of 64 kB at most: profiles, depth maps and edits of real photos take 200."""
MOST_SCANS = 100
"""A photo has one or about ten."""
MOST_WORK = 3_000_000_000
"""Limit of scans x pixels: some seconds."""
_LARGEST = 1 << 30
_MOST_JUNK = 1 << 20
_EOI = b"\xff\xd9"
_SCAN = b"\xff\xda"
_SEQUENTIAL = (0xC0, 0xC1)
_ARITHMETIC = range(0xC9, 0xD0)
_PIXELS_OF_A_BYTE = 8 * 64
_HOLE = bytes(64)
_AT_END = "extraneous bytes before marker 0xd9"
_OTHER_KINDS = (
    "Could not determine",
    "Requested feature",
    "Sorry, ",
    "Unsupported JPEG",
    "Unsupported color",
)
"""What messages say that are not of damage, but of what one build of the decoder does not know."""


def refuse_crowded(source: Source, shown: str) -> None:
    """Raise ImageError if the metadata of a JPEG would take Pillow long to read, before it does.

    Args:
        source: the whole file.
        shown: what error messages call the image.
    """
    try:
        crowded = len(read_head(source).applications) > MOST_SEGMENTS
    except Endless:
        crowded = True
    # Pillow looks for the picture byte by byte where the segments do not follow on each other.
    except Odd:
        crowded = len(source) > _MOST_JUNK and _SCAN not in bytes(source[:_MOST_JUNK])
    if crowded:
        raise ImageError(
            f"{shown} has more than {MOST_SEGMENTS} blocks of metadata before its picture, or no picture at "
            "all; save it again without metadata or leave it out"
        )


def refuse_above_bytes(size: int, shown: str) -> None:
    """Raise ImageError if a JPEG has more bytes than are read at once."""
    if size > _LARGEST:
        raise ImageError(
            f"{shown} has {size} bytes, the limit for a JPEG is {_LARGEST}; save it again smaller"
        )


def refuse_endless(content: bytearray, size: tuple[int, int], shown: str) -> None:
    """Raise ImageError if decoding a JPEG would take more work than any photo.

    Args:
        content: the whole file.
        size: width and height in pixels, as the header says.
        shown: what error messages call the image.
    """
    most = min(MOST_SCANS, max(3, MOST_WORK // max(1, size[0] * size[1])))
    if not _has_one_scan(content) and _n_scans(content, most) > most:
        raise ImageError(
            f"{shown} has more than {most} scans, the limit for {size[0]} x {size[1]} pixels, and would take "
            "long to decode; save it again as an ordinary JPEG or leave it out"
        )


def _has_one_scan(content: bytearray) -> bool:
    """Whether the first scan sends all of the picture, so that a second one is an error of the decoder."""
    try:
        source = memoryview(content)
        head = read_head(source)
        marker, frame = head.frames[0]
        return marker in _SEQUENTIAL and number(source, head.scan_at + 4, 1) == number(frame, 5, 1)
    except (Odd, IndexError):
        return False


def _n_scans(content: bytearray, most: int) -> int:
    """How many scans there are, counted to one above ``most``."""
    n = content.count(_SCAN)  # In data of a scan these two bytes cannot stand, elsewhere they may.
    try:
        return n if n <= most else sum(1 for _ in islice(read_scans(memoryview(content + _EOI)), most + 1))
    except Odd:
        return n


def damage_before_decoding(content: bytearray, size: tuple[int, int], progressive: bool) -> str | None:
    """Why a JPEG cannot be whole, by the rules above that are not the decoder's; None if it may be.

    Args:
        content: the whole file.
        size: width and height in pixels, as the header says.
        progressive: whether it is of that kind.
    """
    if size[0] * size[1] > _PIXELS_OF_A_BYTE * len(content) and not _is_arithmetic(content):
        return f"{len(content)} bytes cannot hold {size[0]} x {size[1]} pixels"
    if not progressive and _HOLE not in content:
        return None
    try:
        found = list(read_scans(without_junk(memoryview(content + _EOI))))
    except Odd:
        return None
    # Zeros at the end may be a camera's; if they are not, the decoder finds too few rows.
    if any(_has_hole(scan) for scan in found):
        return "a hole of zeros in the picture's data"
    return "scans are missing" if progressive and _unfinished(found) else None


def _has_hole(scan: Scan) -> bool:
    return scan.most_zeros is not None and bytes(scan.most_zeros) in bytes(scan.data).rstrip(b"\0")


def _is_arithmetic(content: bytearray) -> bool:
    """Whether its codes are arithmetic ones."""
    try:
        return any(marker in _ARITHMETIC for marker, _ in read_head(memoryview(content)).frames)
    except Odd:
        return False


def _unfinished(found: list[Scan]) -> bool:
    """Whether bits were announced that never came, or detail of the first component never began."""
    missing: dict[tuple[int, int], int] = {}
    for scan in found:
        missing |= {(one, at): scan.missing for one in scan.components for at in scan.coefficients}
    first = found[0].components[0] if found else 0
    return any(missing.values()) or not any(one == first and at for one, at in missing)


def damage_in_words(content: bytearray, words: str, colours: str) -> str | None:
    """Why a JPEG is not whole, after strict decoding failed; None if the words are of something else.

    Args:
        content: the whole file.
        words: what the decoder said.
        colours: ``CMYK`` or ``RGB``, what to decode to.
    """
    # Beyond an end that is missing, arithmetic codes go on with zeros and nobody warns.
    if _is_arithmetic(content):
        return _as_damage(words)
    try:
        picture = bare(without_junk(memoryview(content + _EOI)))
    except Odd:
        return _as_damage(words)
    said = _warning(picture, colours)
    if said and _AT_END in said:
        # Zeros that a camera wrote before EOI are left out, but for those that end the picture itself. If
        # part of the picture goes with them, the decoder says so.
        end = picture[: -len(_EOI)].rstrip(b"\0")
        if not all(_warning(end + bytes(n) + _EOI, colours) for n in range(3)):
            return None
    return _as_damage(said) if said else None


def _as_damage(words: str) -> str | None:
    return None if any(kind in words for kind in _OTHER_KINDS) else words


def _warning(content: bytes, colours: str) -> str | None:
    """What the decoder says of a JPEG; None if nothing. An eighth of the size is enough to read all data."""
    try:
        simplejpeg.decode_jpeg(content, colours, min_height=1, min_width=1)
    except ValueError as error:
        return str(error)
    return None
