"""The process that fits, as the server sees it: one that dies, or takes too much, is replaced."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass

from generic.errors import PiaaError
from piaa.server.fitting.work import Ended
from piaa.store.jobs import Claimed


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """What the process is told when it starts."""

    store: str
    model: str
    before: str | None = None
    """The model of before, if people move from it."""
    seconds: int
    """Of computing that one fit may take."""
    memory: int
    """Bytes that it may take."""


class FitProcess:
    """Does fits in a process that is started with the first of them.

    Args:
        options: what the process is told.
    """

    def __init__(self, options: FitOptions) -> None:
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping, self._lock = False, threading.Lock()

    def do(self, job: Claimed) -> Ended:
        """Do a fit; see :class:`piaa.server.fitting.work.Work`.

        Raises:
            PiaaError: there is no process to do it in.
        """
        process = self._started()
        if process is None:
            return Ended("stopped")
        assert process.stdin  # noqa: S101  (both are pipes)
        assert process.stdout  # noqa: S101
        try:
            process.stdin.write(json.dumps(asdict(job)).encode() + b"\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except OSError:
            line = b""
        if line.endswith(b"\n"):
            return Ended(*json.loads(line))
        return self._died(process)

    def stop(self) -> None:
        """End it, whatever it does."""
        with self._lock:
            self._stopping = True
            if self._process is not None:
                self._process.kill()

    def close(self) -> None:
        """Let go of it; call this when no fit is being done."""
        if self._process is not None:
            self._forget(self._process)

    def _started(self) -> subprocess.Popen[bytes] | None:
        """The process; None if the server stops.

        Raises:
            PiaaError: it cannot be started.
        """
        with self._lock:
            if self._stopping:
                return None
            if self._process is None or self._process.poll() is not None:
                # It finds the program where this process found it. What the store is called may hold a
                # password, which is not for a list of processes.
                environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
                command = [sys.executable, "-m", "piaa.server.fitting.child"]
                pipe = subprocess.PIPE
                try:
                    self._process = subprocess.Popen(  # noqa: S603  (our own words)
                        command, stdin=pipe, stdout=pipe, env=environment
                    )
                except OSError as error:
                    raise PiaaError(f"no process to fit can be started: {error.strerror}") from error
                assert self._process.stdin  # noqa: S101  (a pipe)
                self._process.stdin.write(json.dumps(asdict(self._options)).encode() + b"\n")
            return self._process

    def _died(self, process: subprocess.Popen[bytes]) -> Ended:
        code = process.wait()
        self._forget(process)
        if self._stopping:
            return Ended("stopped")
        if code == -getattr(signal, "SIGXCPU", 0):
            return Ended(
                "failed",
                f"the fit takes more than {self._options.seconds} s of computing, the limit of this server; "
                "choose a simpler adapter, such as ridge, or withdraw some ratings",
            )
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return Ended("died", f"the process that did this fit {how}")

    def _forget(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):  # what it did not read before it ended is written once more
                    pipe.close()
        self._process = None
