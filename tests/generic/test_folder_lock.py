from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from generic.folder_lock import FolderLock

ROOT = Path(__file__).parents[2]


def test_one_claims_and_the_others_wait(tmp_path):
    first, second = FolderLock(tmp_path), FolderLock(tmp_path)
    assert first.claim(0)
    began = time.monotonic()
    assert not second.claim(0.1)
    assert 0.1 <= time.monotonic() - began < 1
    first.close()
    first.close()
    assert second.claim(0)
    second.close()


def test_lock_ends_with_a_killed_process(tmp_path):
    program = (
        "import sys, time; from pathlib import Path; from generic.folder_lock import FolderLock\n"
        "lock = FolderLock(Path(sys.argv[1])); print(lock.claim(0), flush=True); time.sleep(60)"
    )
    lock = FolderLock(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "True\n"
        assert not lock.claim(0.05)
        holder.kill()
    assert lock.claim(1)
    lock.close()


def test_missing_folder_is_the_systems_own_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        FolderLock(tmp_path / "none")
