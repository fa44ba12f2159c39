"""Long work: how it shows where it is, and what whoever stops it is told."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from generic.progress import Progress, in_lines
from piaa.commands.terminal import note

_TOLD = 100_000
AGAIN = "the same command begins from the start"
"""Said of work that leaves nothing behind."""


@contextmanager
def progress_bar(label: str, total: int) -> Iterator[Progress]:
    """A bar on a terminal, elsewhere a line a minute, on stderr; call it with the number newly done."""
    if not sys.stderr.isatty():
        yield in_lines(label, total, note)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda done: bar.advance(task, done)


@contextmanager
def listing(label: str) -> Iterator[Progress]:
    """A number that counts up, for work whose end is not known: a line for every hundred thousand."""
    n = told = 0

    def advance(done: int) -> None:
        nonlocal n, told
        n += done
        if n - told >= _TOLD:
            told = n
            note(f"{label}: {n:,}")

    yield advance


@contextmanager
def stopping(kept: str) -> Iterator[None]:
    """Work that a person may stop (Ctrl-C): she is told what is kept and how to go on.

    Args:
        kept: that, for :func:`piaa.commands.terminal.reporting` to say. Of two around one piece of work the
            inner one speaks.
    """
    try:
        yield
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(*(stop.args or (kept,))) from None


def read_photos(*, remembered: bool) -> str:
    """What is kept of photos that were read.

    Args:
        remembered: whether there is a cache.
    """
    kept = "the photos read so far are remembered: the same command goes on from there"
    return kept if remembered else AGAIN
