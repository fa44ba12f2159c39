from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from generic.folder_lock import FolderLock

ROOT = Path(__file__).parents[2]


def test_many_share_and_one_claims(tmp_path):
    first, second = FolderLock(tmp_path), FolderLock(tmp_path)
    assert first.share(0)
    assert second.share(0)
    began = time.monotonic()
    assert not first.claim(0.1)
    assert 0.1 <= time.monotonic() - began < 1
    # The failed claim gave up the first one's share, so that the second can go on.
    assert second.claim(0)
    assert not first.share(0)
    second.close()
    second.close()
    assert first.claim(0)
    first.close()


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
        assert not lock.share(0.05)
        holder.kill()
    assert lock.share(1)
    lock.close()


def test_missing_folder_is_the_systems_own_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        FolderLock(tmp_path / "none")
