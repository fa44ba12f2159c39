"""Processes that are killed: another takes their shards, and a new start finds what is left."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from piaa.cluster.work import Job

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")
ROOT = Path(__file__).resolve().parents[3]
N = int(os.environ.get("PIAA_KILL_MOMENTS", "2"))
MOMENTS = [1 + 25 * number // max(1, N - 1) for number in range(N)]
"""So many of thirty shards or so are done when somebody dies."""
COMMAND = "from cli import app; app(prog_name='piaa')"


def started(job: Job, *args: object) -> subprocess.Popen[bytes]:
    words = ("embed", job.manifest, "--out", job.out, "--model", job.model, *args)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", COMMAND, *map(str, words)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def until_done(folder: Path, n: int) -> None:
    """Until so many shards are done."""
    end = time.monotonic() + 300
    while len(list(folder.glob("[0-9a-f]*-*[0-9a-f].parquet"))) < n:
        assert time.monotonic() < end, f"{n} shards were not done"
        time.sleep(0.005)


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_killed_command_goes_on_to_the_same_bytes(job, alone, tmp_path, content, jobs):
    for moment in MOMENTS:
        shutil.rmtree(job.out, ignore_errors=True)
        process = started(job, "--jobs", jobs)
        until_done(tmp_path / "vectors", moment)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
        again = started(job, "--jobs", jobs)
        assert again.wait(timeout=300) == 0
        assert content(tmp_path / "vectors") == alone


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_a_killed_process_costs_its_shard_alone(job, alone, tmp_path, content):
    for moment in MOMENTS:
        shutil.rmtree(job.out, ignore_errors=True)
        process = started(job, "--jobs", 2)
        until_done(tmp_path / "vectors", moment)
        for worker in workers(process.pid)[:1]:
            os.kill(worker, signal.SIGKILL)
        assert process.wait(timeout=300) == 0
        assert content(tmp_path / "vectors") == alone


def workers(parent: int) -> list[int]:
    """The processes of a pool; not the one that tracks its resources."""
    found = []
    for task in Path(f"/proc/{parent}/task").iterdir():
        found += [int(word) for word in (task / "children").read_text().split()]
    return [one for one in found if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()]
