"""The process that calibrates, as a server sees it: one at a time, whichever of its processes began it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from generic.atomic import write_bytes
from generic.errors import OutputError, PiaaError

LOCK, RESULT = ".calibrating", "calibration.json"
"""Files in the folder of calibrations: held while one is made, and what came of the last one."""


@dataclass(frozen=True, kw_only=True)
class CalibrationOptions:
    """What the process is told."""

    store: str
    model: str
    """The plain model."""
    folder: str
    """Where the model file is written."""
    cache: str | None
    """Folder of the feature cache."""


class Calibrations:
    """Those of one folder.

    Args:
        options: what the process is told.

    Raises:
        OutputError: the folder cannot be made.
    """

    def __init__(self, options: CalibrationOptions) -> None:
        self._options, self._folder = options, Path(options.folder)
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"folder {self._folder} cannot be made: {error.strerror}; name another"
            ) from error

    def start(self) -> bool:
        """Begin one; False if one is being made.

        Raises:
            PiaaError: the process cannot be started.
        """
        with (self._folder / LOCK).open("wb") as held:
            if not _taken(held.fileno()):
                return False
            keep_result(self._folder, {"state": "running"})
            # Where the program is found, and what the store is called, as for fits: a password is not for a
            # list of processes. The lock is the process's as soon as it has the file.
            environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
            command = [sys.executable, "-m", "piaa.server.calibrating.child"]
            try:
                process = subprocess.Popen(  # noqa: S603  (our own words)
                    command, stdin=subprocess.PIPE, env=environment, pass_fds=[held.fileno()]
                )
            except OSError as error:
                raise PiaaError(f"no process to calibrate can be started: {error.strerror}") from error
        assert process.stdin  # noqa: S101  (a pipe)
        process.stdin.write(json.dumps(asdict(self._options)).encode() + b"\n")
        process.stdin.flush()
        self._process = process  # which ends when its standard input does, with this process
        return True

    def state(self) -> dict[str, Any]:
        """What came of the last one: ``state`` is none, running, done or failed."""
        if self._process is not None:
            self._process.poll()  # so that one that ended is no zombie
        try:
            found: dict[str, Any] = json.loads((self._folder / RESULT).read_bytes())
        except (OSError, ValueError):
            return {"state": "none"}
        if found["state"] == "running" and not self._running():
            return {"state": "failed", "error": "the process that calibrated was ended; ask for it again"}
        return found

    def _running(self) -> bool:
        with (self._folder / LOCK).open("wb") as held:
            return not _taken(held.fileno())


def keep_result(folder: Path, result: dict[str, Any]) -> None:
    """What there is to tell, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    write_bytes(folder / RESULT, json.dumps(result).encode())


def _taken(descriptor: int) -> bool:
    """Take the lock; False if another process holds it."""
    import fcntl  # not on Windows

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
