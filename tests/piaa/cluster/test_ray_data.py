"""A Ray cluster of several nodes on this machine: the same bytes, whoever is killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from piaa.cluster.folder import Folder
from piaa.cluster.manifest import write_manifest
from piaa.cluster.work import Job

pytest.importorskip("ray", reason="a Ray cluster needs the group cluster")
psutil = pytest.importorskip("psutil")

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[3]
LIMIT = 240
N = int(os.environ.get("PIAA_KILL_MOMENTS", "2"))
MOMENTS = [1 + 25 * number // max(1, N - 1) for number in range(N)]
"""So many of thirty shards or so are done when somebody dies."""


class Nodes:
    """The cluster of ``ray_nodes.py``."""

    def __init__(self, n: int) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        }
        self.process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("ray_nodes.py"), str(n)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.address = self.process.stdout.readline().strip()

    def ask(self, what: str) -> str:
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def workers(self) -> list[psutil.Process]:
        """Processes of Ray that make vectors."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        return [one for one in family if "ShardWorker" in " ".join(_words(one))]

    def close(self) -> None:
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(timeout=120)


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@pytest.fixture(scope="module")
def nodes():
    """Two nodes of one core each, and a head without any."""
    cluster = Nodes(2)
    yield cluster
    cluster.close()


def begin(job: Job, nodes: Nodes, *more: object) -> subprocess.Popen[str]:
    words = ("embed", job.manifest, "--out", job.out, "--model", job.model, "--ray", nodes.address, *more)
    command = [sys.executable, "-c", "from cli import app; app(prog_name='piaa')", *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def ended(process: subprocess.Popen[str]) -> str:
    out, error = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, error
    return out


def until_done(job: Job, n: int) -> None:
    """Until so many shards are done."""
    end = time.monotonic() + LIMIT
    while len(list(Path(job.out).glob("[0-9a-f]*-*[0-9a-f].parquet"))) < n:
        assert time.monotonic() < end, f"{n} shards were not done"
        time.sleep(0.01)


def test_as_many_workers_as_you_like_make_the_same_bytes(job, nodes, alone, tmp_path, content):
    nodes.ask("add")
    nodes.ask("add")
    for workers in (1, 2, 4):
        shutil.rmtree(job.out, ignore_errors=True)
        told = ended(begin(job, nodes, "--jobs", workers))
        assert told.startswith("104 photos in ")
        assert content(tmp_path / "vectors") == alone
    assert nodes.ask("spilled") == "0"
    again = ended(begin(job, nodes))
    assert again.startswith("0 photos in 0 shards done now")
    nodes.ask("kill")
    nodes.ask("kill")


def test_every_core_has_a_worker(nodes, tmp_path, tiny_graph):
    """While shards take long: a cluster of which one core worked passed every other test of this file."""
    (tmp_path / "slow").mkdir()
    first = tmp_path / "slow" / "00.png"
    Image.effect_noise((4000, 3000), 60).convert("RGB").save(first)  # a quarter of a second to decode
    for number in range(1, 40):
        first.with_name(f"{number:02}.png").hardlink_to(first)
    folder = tmp_path / "slow-manifest"
    write_manifest(str(tmp_path / "slow"), Folder(str(folder)), shard_size=1)
    job = Job(manifest=str(folder), out=str(tmp_path / "slow-vectors"), model=str(tiny_graph))
    process, most = begin(job, nodes), 0
    while process.poll() is None:
        most = max(most, len(list(Path(job.out).glob("running/*.json"))))
        time.sleep(0.02)
    ended(process)
    assert most == 2


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_worker_costs_its_shard_alone(job, nodes, alone, tmp_path, content, moment):
    process = begin(job, nodes)
    until_done(job, moment)
    for worker in nodes.workers()[:1]:
        worker.kill()
    ended(process)
    assert content(tmp_path / "vectors") == alone


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_dead_nodes_shards_go_elsewhere(job, nodes, alone, tmp_path, content, moment):
    process = begin(job, nodes)
    until_done(job, moment)
    nodes.ask("kill")
    ended(process)
    nodes.ask("add")
    assert content(tmp_path / "vectors") == alone


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_driver_is_started_again(job, nodes, alone, tmp_path, content, moment):
    process = begin(job, nodes)
    until_done(job, moment)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=LIMIT)
    ended(begin(job, nodes))
    assert content(tmp_path / "vectors") == alone


def test_a_cluster_without_a_core_is_told_and_waited_for(job, alone, tmp_path, content):
    empty = Nodes(0)
    process = begin(job, empty)
    told = f"the Ray cluster {empty.address} has no core; waiting until a node with one joins it\n"
    assert told in iter(process.stderr.readline, "")  # Ray says a line before it
    empty.ask("add")
    ended(process)
    empty.close()
    assert content(tmp_path / "vectors") == alone


def test_a_cluster_that_is_away_is_told_in_a_line(job, piaa):
    refused = piaa("embed", job.manifest, "--out", job.out, "--model", job.model, "--ray", "127.0.0.1:9")
    assert refused.exit_code == 1
    start = "piaa: the Ray cluster 127.0.0.1:9 cannot be reached: "
    assert refused.stderr.startswith(start)
    assert refused.stderr.endswith(
        "; expected HOST:PORT of its head from a machine that belongs to it, 'auto' there, or 'local'\n"
    )


def test_a_cluster_without_a_gpu_is_told_in_a_line(job, nodes):
    process = begin(job, nodes, "--gpu")
    _, error = process.communicate(timeout=LIMIT)
    assert process.returncode == 1
    assert error.splitlines()[-1] == (  # Ray says a line before it
        f"piaa: a GPU is asked for, and no node of the Ray cluster {nodes.address} has one; start a node "
        "with --num-gpus, or leave --gpu out"
    )


def test_nodes_with_another_model_are_told(job, nodes):
    from piaa.cluster.ray_data import ShardWorker, rows_of
    from piaa.cluster.work import Worker

    first, *_ = Worker(job).manifest.shards
    batch = {name: _Column([value]) for name, value in rows_of([first])[0].items()}
    (error,) = ShardWorker(job, "0" * 64, "0.1.0", 1)(batch)["error"]
    assert error.endswith(f", here it is {'0' * 64}; install the same on all nodes")


def test_what_a_worker_left_that_was_killed_at_its_end_goes(job, nodes):
    """Its vectors are there, and its note that it is at work: Ray gives the shard to another."""
    from piaa import __version__
    from piaa.cluster.notes import RUNNING, Beat
    from piaa.cluster.ray_data import ShardWorker, rows_of
    from piaa.cluster.work import Worker

    here = Worker(job)
    first, *_ = here.manifest.shards
    here.run(first)
    Beat(here.notes, first.name)(0)
    assert [one.shard for one in here.notes.read(RUNNING)] == [first.name]
    batch = {name: _Column([value]) for name, value in rows_of([first])[0].items()}
    assert ShardWorker(job, here.model.hash, __version__, 1)(batch)["error"] == [""]
    assert here.notes.read(RUNNING) == []


class _Column(list):
    def tolist(self) -> list:
        return self
