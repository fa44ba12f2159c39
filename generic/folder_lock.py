"""Who is using a folder: any number of processes together, or one alone.

SQLite finds the journals of a database by name. A database that is renamed or removed while another
process has it open, or is just opening it, would therefore mix its journal with that of the file that
takes its place. So whoever opens such a file shares its folder, and whoever replaces it claims it.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be renamed or removed anyway
    fcntl = None  # type: ignore[assignment]


class FolderLock:
    """A lock on an existing folder that ends with the process, however it ends.

    Where the system or the disk knows no such locks, every request is granted.

    Raises:
        OSError: the folder does not exist or cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._handle: int | None = None if fcntl is None else os.open(folder, os.O_RDONLY)

    def share(self, timeout_s: float) -> bool:
        """True as soon as nobody else claims the folder; False after ``timeout_s`` seconds."""
        return self._handle is None or _wait(self._handle, fcntl.LOCK_SH, timeout_s)

    def claim(self, timeout_s: float) -> bool:
        """True as soon as nobody else shares or claims the folder; False after ``timeout_s`` seconds.

        What this lock shared is given up first: two that wait for each other's share would never end.
        """
        if self._handle is None:
            return True
        with suppress(OSError):
            fcntl.flock(self._handle, fcntl.LOCK_UN)
        return _wait(self._handle, fcntl.LOCK_EX, timeout_s)

    def close(self) -> None:
        """Give up the share or the claim; closing twice does no harm."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def _wait(handle: int, kind: int, timeout_s: float) -> bool:
    patience = time.monotonic() + timeout_s
    while True:
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= patience:
                return False
            time.sleep(0.005)
        except OSError:  # Some network disks know no locks.
            return True
        else:
            return True
