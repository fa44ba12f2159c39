"""How long work reports where it is: a function that takes the number of items newly done."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int], None]


def no_progress(done: int) -> None:
    """Report nothing."""
    del done
