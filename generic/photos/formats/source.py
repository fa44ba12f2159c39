"""The bytes of a photo file, in memory or on disk, and what is raised where they are odd."""

from __future__ import annotations

import os
from typing import BinaryIO


class Odd(Exception):
    """A file is not built as its format says. Never leaves ``generic/photos``: its callers do without."""


class Endless(Odd):
    """A file has more parts than any photo has, and would take long to read."""


class FileBytes:
    """An open file, sliced like bytes: what is not asked for is not read.

    Args:
        stream: binary, can seek.

    Example:
        >>> import io
        >>> FileBytes(io.BytesIO(b"abcdef"))[2:4]
        b'cd'
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._length = stream.seek(0, os.SEEK_END)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, part: slice) -> bytes:
        start, stop, _ = part.indices(self._length)
        self._stream.seek(start)
        return self._stream.read(max(0, stop - start))


Source = bytes | memoryview | FileBytes
"""What can be sliced into bytes and has a length."""
Part = bytes | memoryview


def cut(source: Source, start: int, size: int) -> Part:
    """The bytes from ``start`` on; Odd unless all ``size`` of them are there."""
    if start < 0 or size < 0 or start + size > len(source):
        raise Odd
    return source[start : start + size]


def number(source: Source, start: int, size: int, order: str = "big") -> int:
    """An unsigned whole number of ``size`` bytes; Odd unless they are there."""
    return int.from_bytes(cut(source, start, size), "big" if order == "big" else "little")


def part(name: str, content: Part) -> bytes:
    """A named part of what is hashed, with its length, so that no two lists of parts give the same bytes."""
    return b"%s %d\0" % (name.encode(), len(content)) + bytes(content)
