"""How every command speaks: one-line errors, JSON, notes, a progress bar, names in any encoding.

Results go to stdout, everything else to stderr; an error of ours becomes one line and exit code 1.
"""

from __future__ import annotations

import functools
import io
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

import typer

from generic.errors import PiaaError
from generic.extras import needing
from generic.photos.find import printable
from generic.progress import Progress, no_progress

P = ParamSpec("P")
R = TypeVar("R")


def reporting(command: Callable[P, R]) -> Callable[P, R]:
    """Turn our errors into one line on stderr (with --json: one object on stdout) and exit code 1."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with needing(f"piaa {name_of(command)}"):
                return command(*args, **kwargs)
        except PiaaError as error:
            if kwargs.get("as_json"):
                problems = [problem.__dict__ for problem in getattr(error, "problems", ())]
                print_json({"error": str(error), "kind": type(error).__name__, "problems": problems})
            else:
                typer.echo(f"piaa: {error}", err=True)
            raise typer.Exit(1) from error

    return run


_GROUPS = ("cache", "data", "gaze", "keys", "models", "users")
"""Words before the name of a command."""


def name_of(command: Callable[..., object]) -> str:
    """What a person types: ``fit-user`` for ``fit_user``, ``users list`` for ``users_list`` of ``users``."""
    group, _, rest = command.__name__.partition("_")
    words = (group, rest) if group in _GROUPS and rest else (command.__name__,)
    return " ".join(words).replace("_", "-")


def accept_any_name() -> None:
    """Have stdout and stderr write what their encoding lacks as an escape, where they would refuse it.

    Names of photos may hold any character; a Windows console, or a file that its output goes to, may not.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def print_json(content: object) -> None:
    """One JSON document on stdout, which stays one under any encoding.

    Outside of UTF-8 all is ASCII: not every escape of :func:`accept_any_name` is one of JSON's.
    """
    encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower().replace("-", "")
    typer.echo(json.dumps(content, indent=2, ensure_ascii=not encoding.startswith("utf")))


def note(text: str) -> None:
    """A line for the person, on stderr."""
    typer.echo(text, err=True)


def counted(n: int, what: str) -> str:
    """How many of something.

    Example:
        >>> counted(1, "version"), counted(2, "version")
        ('1 version', '2 versions')
    """
    return f"{n} {what}{'s' * (n != 1)}"


def report_skipped(skipped: Mapping[str, str], n: int, what: str) -> None:
    """Count and name what was left out of n, on stderr."""
    if skipped:
        note(f"skipped {len(skipped)} of {n} {what}:")
        for name, reason in list(skipped.items())[:10]:
            note(f"  {printable(name)}: {reason}")
        if len(skipped) > 10:
            note(f"  and {len(skipped) - 10} more (all with --json)")


@contextmanager
def progress_bar(label: str, total: int) -> Iterator[Progress]:
    """A bar on a terminal, nothing in a pipe; call it with the number newly done."""
    if not sys.stderr.isatty():
        yield no_progress
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda done: bar.advance(task, done)
