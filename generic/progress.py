"""How long work reports where it is: a function that takes the number of items newly done."""

from __future__ import annotations

import time
from collections.abc import Callable

from generic.words import counted

Progress = Callable[[int], None]
_MINUTE = 60.0


def no_progress(done: int) -> None:
    """Report nothing."""
    del done


def in_lines(
    label: str, total: int, write: Callable[[str], None], *, clock: Callable[[], float] = time.monotonic
) -> Progress:
    """Progress for a log, where no bar can be drawn: a line a minute, while something gets done.

    Args:
        label: what is done.
        total: how many items there are.
        write: takes a line.
        clock: seconds, from any moment on.

    Example:
        >>> seconds = iter((0, 20, 90, 100))
        >>> report = in_lines("reading photos", 1200, print, clock=lambda: next(seconds))
        >>> for _ in range(3):
        ...     report(100)
        reading photos: 200 of 1,200, about 8 minutes left
    """
    begun = told = clock()
    n = 0

    def report(done: int) -> None:
        nonlocal n, told
        n += done
        now = clock()
        if now - told >= _MINUTE and n:
            told = now
            left = _time((now - begun) / n * (total - n))
            write(f"{label}: {n:,} of {total:,}{f', about {left} left' * (n < total)}")

    return report


def _time(seconds: float) -> str:
    """A time in words: in minutes, or in hours from 90 minutes on."""
    minutes = max(1, round(seconds / _MINUTE))
    return counted(minutes, "minute") if minutes < 90 else counted(round(minutes / 60), "hour")
