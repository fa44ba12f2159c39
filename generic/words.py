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


def none_of(n: int, what: str) -> str:
    """Not one of so many, for what holds of not a single one.

    Example:
        >>> none_of(1, "photo"), none_of(3, "photo")
        ('not even the one photo', 'none of the 3 photos')
    """
    return f"not even the one {what}" if n == 1 else f"none of the {counted(n, what)}"


def all_are(n: int, what: str) -> str:
    """All of so many, for what holds of each.

    Example:
        >>> all_are(1, "photo"), all_are(3, "photo")
        ('the only photo is', 'all 3 photos are')
    """
    return f"the only {what} is" if n == 1 else f"all {counted(n, what)} are"
