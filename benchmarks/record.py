"""What every benchmark shares: running the command, and writing figures with what they were measured on.

Nothing here imports torch: a benchmark's own memory and start-up must not hide those of the command.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

from generic.atomic import write_bytes

PIAA = (sys.executable, "-c", "from cli import app; app()")
"""What the installed script ``piaa`` runs, in this environment."""
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""Of what is timed: byte code is kept, Python's default, or each start compiles torch and timm."""
RESULTS = Path(__file__).parent / "results"
T = TypeVar("T")


def piaa(*arguments: str | Path) -> tuple[str, float]:
    """Run one command to its end.

    Returns:
        what it wrote to stdout, and its wall time in seconds.

    Raises:
        RuntimeError: it failed; with its last line on stderr.
    """
    return timed([*PIAA, *map(str, arguments)])


def timed(command: Sequence[str]) -> tuple[str, float]:
    """As :func:`piaa`, for any program."""
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    seconds = time.perf_counter() - started
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise RuntimeError(f"{' '.join(command[2:6])} ... exited with {done.returncode}: {reason}")
    return done.stdout, seconds


def machine() -> dict[str, Any]:
    """Cores this process may use, the processor, and the versions that decide the speed."""
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "cpu": _processor(),
        "python": platform.python_version(),
        **{name: found for name in ("torch", "timm", "numpy", "pillow") if (found := _version(name))},
    }


def _version(package: str) -> str | None:
    with suppress(PackageNotFoundError):  # not everything that is measured needs torch
        return version(package)
    return None


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def write_result(name: str, command: str, figures: dict[str, Any]) -> Path:
    """Write ``results/NAME.json``: the command, the date, the machine, the figures."""
    content = {
        "command": command,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": machine(),
        **figures,
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    write_bytes(path, (json.dumps(content, indent=1) + "\n").encode())
    return path


class Steps:
    """Parts of a long measurement, each kept as it ends: the same command goes on where it was stopped.

    Args:
        name: of the measurement.
        options: what must be the same for parts to belong together.
    """

    def __init__(self, name: str, options: object) -> None:
        self._path = Path(tempfile.gettempdir(), f"piaa-benchmark-{name}.json")
        self._options = json.loads(json.dumps(options))
        kept = json.loads(self._path.read_text()) if self._path.exists() else {}
        self._done: dict[str, Any] = kept.get("done", {}) if kept.get("options") == self._options else {}

    def do(self, part: str, measure: Callable[[], T]) -> T:
        """What a part measured, now or before; plain values, as JSON has them."""
        if part not in self._done:
            self._done[part] = measure()
            content = {"options": self._options, "done": self._done}
            write_bytes(self._path, json.dumps(content).encode())
            tell(f"{part}: {json.dumps(self._done[part])[:300]}")
        found: T = self._done[part]
        return found

    def end(self) -> None:
        """All parts are in the result: the next run measures anew."""
        self._path.unlink(missing_ok=True)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are right-aligned."""
    lines = [header, ["---", *["--:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def tell(text: str) -> None:
    """A line of progress, on stderr."""
    print(f"{datetime.datetime.now():%H:%M:%S} {text}", file=sys.stderr, flush=True)
