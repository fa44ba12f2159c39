"""Processes that are killed: another takes their shards, and a new start finds what is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from piaa.cluster.embed import embed
from piaa.cluster.work import Job

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")
ROOT = Path(__file__).resolve().parents[3]
COMMAND = "from cli import app; app(prog_name='piaa')"


def started(job: Job, *args: object) -> subprocess.Popen[bytes]:
    words = ("embed", job.manifest, "--out", job.out, "--model", job.model, *args)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", COMMAND, *map(str, words)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def until_a_file(folder: Path) -> None:
    end = time.monotonic() + 300
    while not list(folder.glob("[0-9a-f]*.parquet")):
        assert time.monotonic() < end, "no shard was done"
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_killed_command_goes_on_to_the_same_bytes(manifest, tiny_graph, tmp_path, content, jobs):
    job = Job(manifest=manifest, out=str(tmp_path / "vectors"), model=str(tiny_graph))
    whole = Job(manifest=manifest, out=str(tmp_path / "whole"), model=str(tiny_graph))
    embed(whole)
    process = started(job, "--jobs", jobs)
    until_a_file(tmp_path / "vectors")
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=60)
    again = started(job, "--jobs", jobs)
    assert again.wait(timeout=300) == 0
    assert content(tmp_path / "vectors") == content(tmp_path / "whole")
