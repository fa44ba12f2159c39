"""Tables that we write as CSV, for people who open them in a spreadsheet and for our own reader."""

from __future__ import annotations

import codecs
import io
from collections.abc import Callable, Iterable, Sequence

from piaa.ratings.spelling import escaped

_LIVE = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a spreadsheet takes for the beginning of a formula."""
_QUOTED = frozenset(',;\t\r\n"')
"""What may end a field, here or in a spreadsheet of another language."""


def inert(name: str) -> str:
    """A photo's name that no spreadsheet runs: with ``./`` before what would be a formula.

    It is still a path to the same file, for every reader of paths, so nobody has to know of it.

    Example:
        >>> inert("=1+1.jpg"), inert("a=b.jpg")
        ('./=1+1.jpg', 'a=b.jpg')
    """
    return f"./{name}" if name.lstrip().startswith(_LIVE) or name[:1].isspace() else name


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    r"""A table as CSV with a header.

    Args:
        columns: their names; what stands below ``image`` is :func:`inert`.
        rows: texts, numbers, or None for an empty field.

    Example:
        >>> csv_text(("image", "score"), [("a, b.jpg", 4.5), ("-c.jpg", -1)])
        'image,score\n"a, b.jpg",4.5\n./-c.jpg,-1\n'
    """
    safe = [inert if column == "image" else str for column in columns]
    text = io.StringIO()
    text.write(",".join(columns) + "\n")
    for row in rows:
        text.write(",".join(_field(value, make) for value, make in zip(row, safe, strict=True)) + "\n")
    return text.getvalue()


def csv_bytes(text: str) -> bytes:
    """The file's content: with a byte order mark if there is more than ASCII in it.

    Excel takes a CSV file without the mark for the system's old encoding and shows ``ZÃ¼rich``. Our reader
    and pandas take both; where all is ASCII there is nothing to get wrong, and the file stays plain.
    """
    return (b"" if text.isascii() else codecs.BOM_UTF8) + text.encode()


def _field(value: object, make: Callable[[str], str]) -> str:
    if not isinstance(value, str):
        return "" if value is None else str(value)
    name = make(escaped(value))
    # Python's csv module leaves a semicolon unquoted, and before 3.13 a lone carriage return.
    if _QUOTED.isdisjoint(name) and name == name.strip():
        return name
    return '"' + name.replace('"', '""') + '"'
