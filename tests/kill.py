"""kill -9 of a program at moments spread over its whole run; conftest.py gives it to tests as ``kill``."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Kill:
    """One run that was to be killed."""

    number: int
    """From 0, in the order of the moments."""
    delay_s: float
    """When, in seconds."""
    killed: bool
    """False if the program had finished by then."""


def snippet(source: str, *arguments: object) -> list[str]:
    """A program of a few lines of Python; its arguments are ``sys.argv[1:]``."""
    return [sys.executable, "-c", source, *map(str, arguments)]


def command(*arguments: object) -> list[str]:
    """``piaa`` with these arguments."""
    return [sys.executable, "-m", "cli", *map(str, arguments)]


def kills(
    program: Sequence[str],
    n: int,
    *,
    folder: Path,
    name: str,
    prepare: Callable[[], object] = lambda: None,
    from_first_line: bool = False,
) -> Iterator[Kill]:
    """Run a program n times and kill it each time; between two runs it is the caller's turn to look.

    Args:
        program: what to run.
        n: how many moments; one lies in each of n equal parts of the duration, which is measured first.
        folder: where it runs.
        name: decides where in its part each moment lies.
        prepare: puts in place what a run starts from; called before every run, the measured one included.
        from_first_line: the program prints a line when what is to be killed begins, and moments are counted
            from there: else most of them fall on the imports of a program that is quick.

    Yields:
        one result a run, when the program has ended.

    Raises:
        AssertionError: the undisturbed run failed; with what it wrote to stderr.
    """
    prepare()
    moments = Moments(n, duration(program, folder, from_first_line=from_first_line), name)
    for number, delay in enumerate(moments):
        prepare()
        took = kill_after(delay, program, folder, from_first_line=from_first_line)
        yield Kill(number=number, delay_s=delay, killed=moments.killed(took))


class Moments:
    """One random delay, in seconds, from each of n equal parts of a run.

    The measured run may have been slowed down by something else: a later one that has finished before its
    moment is the new measure, from which the moments after it are reckoned.
    """

    def __init__(self, n: int, whole_s: float, name: str) -> None:
        draw = random.Random(f"kill {name}")
        self._shares = [(part + draw.random()) / n for part in range(n)]
        self._whole_s = whole_s

    def __iter__(self) -> Iterator[float]:
        return (share * self._whole_s for share in self._shares)

    def killed(self, took_s: float | None) -> bool:
        """Take note of how long a run took that had finished; None is one that was killed."""
        if took_s is not None:
            self._whole_s = min(self._whole_s, took_s)
        return took_s is None


def duration(program: Sequence[str], folder: Path, *, from_first_line: bool = False) -> float:
    """Seconds that a program takes undisturbed."""
    process = _start(program, folder, from_first_line=from_first_line, stderr=subprocess.PIPE)
    started = time.monotonic()
    _, problem = process.communicate(timeout=120)
    assert process.returncode == 0, problem.decode()
    return time.monotonic() - started


def kill_after(
    delay_s: float, program: Sequence[str], folder: Path, *, from_first_line: bool = False
) -> float | None:
    """Start a program and kill it; if it had finished by then, the seconds that it took."""
    process = _start(program, folder, from_first_line=from_first_line, stderr=subprocess.DEVNULL)
    started = time.monotonic()
    try:
        process.communicate(timeout=delay_s)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    return None if process.returncode == -signal.SIGKILL else time.monotonic() - started


def _start(
    program: Sequence[str], folder: Path, *, from_first_line: bool, stderr: int
) -> subprocess.Popen[bytes]:
    """A program that runs; if so wished, once it has printed a line."""
    stdout = subprocess.PIPE if from_first_line else subprocess.DEVNULL
    process = subprocess.Popen(program, cwd=folder, stdout=stdout, stderr=stderr, bufsize=0)
    if process.stdout is not None:
        process.stdout.readline()
    return process
