"""The text of a file, in the encodings of the programs from which people export their tables."""

from __future__ import annotations

import codecs
import re

from piaa.ratings.files.raw_table import TableKind

_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_ZIP = b"PK\x03\x04"
_SAMPLE = 1024
_SHORTEST = 8
_LETTER = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
"""A letter beyond ASCII in UTF-8. Text in Windows-1252 has hardly ever such a sequence."""


def decode(content: bytes, source: str, kind: TableKind) -> tuple[str, tuple[str, ...]]:
    """The text of a file without its byte order mark, and what to know about it.

    Tables that people export may be UTF-16 or Windows-1252, which is said; all others must be UTF-8.

    Args:
        content: the whole file.
        source: its name for messages.
        kind: what it should hold.

    Raises:
        PiaaError: ``kind.error``, as it is no text in one of these encodings, or empty.
    """
    if content.startswith(_ZIP):
        raise kind.error(
            f"{source} is a zip archive, as Excel's files are, expected text; give it the suffix .xlsx if it "
            f"is one, or save the {kind.what} as .csv"
        )
    wide = _wide(content)
    if wide is not None:
        text, notes = _decode_wide(content, wide, source, kind)
    else:
        text, notes = _decode_bytes(content, source, kind)
    if "\0" in text:
        at = content.index(0)
        raise kind.error(
            f"{source} line {_line_of(content, at)}: NUL byte at offset {at}, expected text; "
            "save the file as UTF-8 text"
        )
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise kind.error(f"{source} {kind.empty}")
    return text, notes


def _wide(content: bytes) -> str | None:
    """The encoding, if it has more than one byte for every letter."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return encoding
    # Without a mark: every other byte of a header in ASCII is zero.
    sample = content[:_SAMPLE]
    first, second = sample[::2].count(0), sample[1::2].count(0)
    if len(sample) >= _SHORTEST and max(first, second) > len(sample) // 3 and min(first, second) == 0:
        return "UTF-16-BE" if first else "UTF-16-LE"
    return None


def _decode_wide(content: bytes, encoding: str, source: str, kind: TableKind) -> tuple[str, tuple[str, ...]]:
    name = encoding[:6]
    if not kind.by_people:
        raise kind.error(f"{source} is {name} text, expected UTF-8; save it as UTF-8")
    try:
        return content.decode(encoding), (f"{source}: read as {name} text",)
    except UnicodeDecodeError:
        raise kind.error(f"{source} is {name} text that is damaged or cut off; save it as UTF-8") from None


def _decode_bytes(content: bytes, source: str, kind: TableKind) -> tuple[str, tuple[str, ...]]:
    try:
        return content.decode("utf-8"), ()
    except UnicodeDecodeError as error:
        at = error.start
    # A file with letters in UTF-8 is a damaged one: read otherwise, all its other names would be wrong.
    if kind.by_people and not _LETTER.search(content):
        try:
            text = content.decode("cp1252")
        except UnicodeDecodeError:
            pass
        else:
            told = "read as Windows-1252, for it is not UTF-8; if names look wrong, save it as UTF-8"
            return text, (f"{source}: {told}",)
    told = kind.not_utf8.format(line=_line_of(content, at), byte=f"0x{content[at]:02x}", offset=at)
    raise kind.error(f"{source}{told}")


def _line_of(content: bytes, offset: int) -> int:
    return len((content[:offset] + b"x").splitlines())
