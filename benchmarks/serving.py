"""A real `piaa serve` for the benchmarks, on a free loopback port."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

import httpx
from record import PIAA


class Served:
    """One server process on a store, without keys; its log lies in a temporary file.

    Args:
        store: the store's file, or its URL.
        options: further ones of the command.
        tree: the checkout whose server it is, if not this one.
    """

    def __init__(self, store: Path | str, *options: str, tree: Path | None = None) -> None:
        self._log = tempfile.NamedTemporaryFile("w+", suffix=".log")  # noqa: SIM115  (lives with the server)
        command = [*PIAA, "serve", "--store", str(store), "--port", "0", "--no-keys", "--no-cache"]
        command += ["--rate", "1000000", *options]
        started = time.perf_counter()
        self.process = subprocess.Popen(command, stdout=self._log, stderr=self._log, cwd=tree)
        self.url = self._wait()
        self.http = httpx.Client(base_url=self.url, timeout=600)
        self.start_s = time.perf_counter() - started

    def _wait(self) -> str:
        log = Path(self._log.name)
        while self.process.poll() is None:
            found = re.search(r"running on (http://\S+)", log.read_text())
            if found:
                return found[1]
            time.sleep(0.05)
        raise RuntimeError(log.read_text())

    def memory(self) -> int:
        """Resident bytes of the process."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]

    def cpu_s(self) -> float:
        """Seconds of computing of the process, without those that decode and fit."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self._ended()

    def kill(self) -> None:
        """End it at once, by SIGKILL."""
        self.process.kill()
        self._ended()

    def _ended(self) -> None:
        self.process.wait()
        self.http.close()
        self._log.close()
