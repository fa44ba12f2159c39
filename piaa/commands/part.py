"""``--shard I/N``: which worker of how many, for those who share work without knowing of each other."""

from __future__ import annotations

import typer


def part_of(text: str | None) -> tuple[int, int]:
    """Which worker of how many.

    Example:
        >>> part_of("3/8"), part_of(None)
        ((3, 8), (0, 1))
    """
    if text is None:
        return 0, 1
    number, _, of = text.partition("/")
    if not (number.isdecimal() and of.isdecimal() and int(number) < int(of)):
        raise typer.BadParameter(f"--shard is {text!r}, expected I/N with I from 0 to N - 1, as in 0/8")
    return int(number), int(of)
