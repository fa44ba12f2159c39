"""Numbers in sentences."""

from __future__ import annotations


def counted(n: int, what: str, several: str | None = None) -> str:
    """How many of something.

    Args:
        n: how many.
        what: one of them.
        several: what more than one, or none, are called; default: with an s.

    Example:
        >>> counted(1, "version"), counted(2000, "version"), counted(0, "person", "people")
        ('1 version', '2,000 versions', '0 people')
    """
    return f"{n:,} {what if n == 1 else several or what + 's'}"
