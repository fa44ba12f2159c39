"""How every command speaks: one-line errors, JSON, notes, names in any encoding.

Results go to stdout, everything else to stderr; an error of ours becomes one line and exit code 1, Ctrl-C one
line and exit code 130.
"""

from __future__ import annotations

import functools
import io
import json
import math
import os
import sys
from collections.abc import Callable, Mapping
from typing import ParamSpec, TypeVar

import typer

from generic.errors import PiaaError
from generic.extras import needing
from generic.photos.find import printable
from generic.words import counted

P = ParamSpec("P")
R = TypeVar("R")
_STOPPED = 130
"""What shells expect of a program that Ctrl-C ended."""


def reporting(command: Callable[P, R]) -> Callable[P, R]:
    """Turn our errors into one line on stderr (with --json: one object on stdout) and exit code 1.

    Who stops a command is told so, and what :func:`piaa.commands.progress.stopping` says is kept. No option
    takes ``nan`` or ``inf`` for a number.
    """

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        _check_finite(kwargs)
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
        except KeyboardInterrupt as stop:
            if os.environ.get("RANK", "0") == "0":  # the first of the processes that a launcher started
                typer.echo(f"piaa: {'; '.join(('stopped', *map(str, stop.args)))}", err=True)
            raise typer.Exit(_STOPPED) from None

    return run


def _check_finite(options: Mapping[str, object]) -> None:
    for name, given in options.items():
        for number in given if isinstance(given, tuple | list) else (given,):
            if isinstance(number, float) and not math.isfinite(number):
                option = f"--{name.replace('_', '-')}"
                raise typer.BadParameter(f"{option} takes a finite number, not {number}")


_GROUPS = ("cache", "data", "gaze", "keys", "models", "users")
"""Words before the name of a command."""


def name_of(command: Callable[..., object]) -> str:
    """What a person types: ``fit-user`` for ``fit_user``, ``users list`` for ``users_list`` of ``users``.

    An underscore at the end, which keeps ``open_`` from hiding Python's own, is not typed.
    """
    name = command.__name__.rstrip("_")
    group, _, rest = name.partition("_")
    words = (group, rest) if group in _GROUPS and rest else (name,)
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


def report_skipped(
    skipped: Mapping[str, str], n: int, what: str, several: str | None = None, *, of: str = ""
) -> None:
    """Count and name what was left out, on stderr.

    Args:
        skipped: what was left out, with the reason.
        n: of how many.
        what: what one of them is.
        several: what more than one are called; default: with an s.
        of: whose they are.
    """
    if skipped:
        note(f"skipped {len(skipped):,} of {counted(n, what, several)}{f' of {of}' if of else ''}:")
        for name, reason in list(skipped.items())[:10]:
            note(f"  {printable(name)}: {reason}")
        if len(skipped) > 10:
            note(f"  and {len(skipped) - 10:,} more (all with --json)")
