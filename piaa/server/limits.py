"""What the process at hand may take of the machine, enforced by the system."""

from __future__ import annotations

import contextlib
import os
import sys

_NICENESS = 15
"""Of processes that decode and fit, against the server that answers."""


def give_way() -> None:
    """Let the server that answers compute first, from now on."""
    with contextlib.suppress(OSError, AttributeError):
        os.nice(_NICENESS)


def limit_memory(n_bytes: int) -> None:
    """Let this process have so many bytes beyond those that it has now; only Linux counts them rightly."""
    if sys.platform == "linux":
        import resource

        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
            now = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + n_bytes, now + n_bytes))


def limit_computing(seconds: int) -> None:
    """End this process, wherever it is, once it has computed for so long from now on."""
    if sys.platform != "win32":
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        until = int(used.ru_utime + used.ru_stime) + 1 + seconds
        resource.setrlimit(resource.RLIMIT_CPU, (until, resource.getrlimit(resource.RLIMIT_CPU)[1]))
