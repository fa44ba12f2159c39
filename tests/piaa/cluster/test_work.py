"""A shard that ends its worker again and again is given up, and named."""

from __future__ import annotations

import pytest

from generic.errors import ClusterError
from piaa.cluster.embed import embed
from piaa.cluster.notes import FAILED, RUNNING, Note
from piaa.cluster.work import Job, Worker


@pytest.fixture
def job(manifest, tmp_path, tiny_graph) -> Job:
    return Job(manifest=manifest, out=str(tmp_path / "vectors"), model=str(tiny_graph))


def killed(worker: Worker, shard: str, times: int) -> None:
    note = Note(shard=shard, host="there", process=1, photos=0, seconds=1.0, when=0.0, starts=times)
    worker.notes.write(RUNNING, note)


def test_nine_deaths_are_no_reason_to_stop(job):
    worker = Worker(job)
    killed(worker, worker.manifest.shards[0].name, 9)
    assert embed(job).photos == 13


def test_ten_deaths_are(job):
    worker = Worker(job)
    first, *others = worker.manifest.shards
    killed(worker, first.name, 10)
    why = "10 workers were killed while they worked on it, perhaps for want of memory"
    with pytest.raises(ClusterError) as caught:
        embed(job)
    assert str(caught.value).endswith(f"the first that failed, {first.name}: {why}")
    (note,) = worker.notes.read(FAILED)
    assert (note.shard, note.error) == (first.name, why)
    assert embed(job).before == len(others)  # begun anew, since somebody saw it
