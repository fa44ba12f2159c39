"""One thread for matrix products, for as long as it is asked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

COUNT = """
from generic.threads import one_blas_thread
from threadpoolctl import threadpool_info

def counts():
    return sorted({pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"})

before = counts()
with one_blas_thread():
    within = counts()
print(before, within, counts() == before)
"""


def run(code: str, folder: object) -> str:
    """What code prints in a process whose BLAS may use two threads."""
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "2", "PYTHONPATH": str(Path.cwd())}
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, cwd=str(folder), env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core: a BLAS has one thread anyway")
def test_within_there_is_one_thread_and_afterwards_as_many_as_before(tmp_path):
    assert run(COUNT, tmp_path) == "[2] [1] True"
