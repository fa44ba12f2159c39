"""Other spellings of a file's name: what programs, systems and tables make of one and the same name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from urllib.parse import unquote

Spelling = Callable[[str], str]


def as_it_stands(name: str) -> str:
    """The name itself."""
    return name


def composed(name: str) -> str:
    """Accents joined to their letters, as a PC writes them; without spaces around, which a table loses."""
    return unicodedata.normalize("NFC", name.strip())


def caseless(name: str) -> str:
    """And neither upper nor lower case."""
    return composed(composed(name).casefold())


SPELLINGS: tuple[tuple[Spelling, Spelling], ...] = (
    (as_it_stands, as_it_stands),
    (composed, as_it_stands),
    (caseless, as_it_stands),
    (composed, unquote),
    (caseless, unquote),
)
"""From the closest to the farthest: what both names are compared by, and how the one in a table is read."""


def escaped(name: str) -> str:
    r"""A name that every format can hold: bytes of a file name that are not UTF-8 become ``\udc..``."""
    return name.encode(errors="backslashreplace").decode()


def unescaped(name: str) -> str:
    r"""The name of the file that :func:`escaped` stands for.

    Example:
        >>> unescaped(escaped("Z\udcfcrich.jpg")) == "Z\udcfcrich.jpg"
        True
    """
    return re.sub(r"\\udc([89a-f][0-9a-f])", lambda match: chr(0xDC00 + int(match[1], 16)), name)
