"""How far a folder of vectors is, by its files and by what workers said."""

from __future__ import annotations

import os
import time

import pytest

from generic.errors import ClusterError
from piaa.cluster.current import read_current
from piaa.cluster.embed import embed
from piaa.cluster.folder import Folder
from piaa.cluster.notes import FAILED, RUNNING, Note, Notes
from piaa.cluster.status import status
from piaa.cluster.vectors import VectorFolder
from piaa.cluster.work import Job, Worker


@pytest.fixture
def worker(manifest, tmp_path, tiny_graph) -> Worker:
    job = Job(manifest=manifest, out=str(tmp_path / "vectors"), model=str(tiny_graph))
    embed(job)
    return Worker(job)


def of(worker, **options):
    (found,) = status(worker.vectors.folder, **options)
    return found


def note(shard, **values) -> Note:
    given = {"host": "here", "process": 7, "photos": 3, "seconds": 2.0, "when": time.time()}
    return Note(shard=shard, **(given | values))


def test_all_done(worker):
    found = of(worker)
    assert (found.done, found.photos_done, found.broken) == (found.shards, 13, 1)
    assert found.photos == 13
    assert (found.running, found.lost, found.failed) == ((), (), ())


def test_running_lost_and_failed_shards_are_told_apart(worker, tmp_path):
    first, second, third, *_ = worker.manifest.shards
    for shard in (first, second, third):
        (tmp_path / "vectors" / worker.vectors.name_of(shard.name)).unlink()
    notes = Notes(worker.vectors.folder, worker.vectors.mark)
    running = note(first.name)
    lost, failed = note(second.name, when=time.time() - 600), note(third.name, error="the bucket is away")
    for kind, it in ((RUNNING, running), (RUNNING, lost), (FAILED, failed)):
        notes.write(kind, it)
    found = of(worker)
    assert (found.running, found.lost, found.failed) == ((running,), (lost,), (failed,))
    assert found.per_second == 1.5
    left = sum(shard.n_photos for shard in (first, second, third))
    assert found.seconds_left == left / 1.5


def test_without_workers_the_speed_is_that_of_the_shards_done_last(worker, tmp_path):
    shards = worker.manifest.shards
    for number, shard in enumerate(shards):
        os.utime(tmp_path / "vectors" / worker.vectors.name_of(shard.name), (1e9 + 10 * number,) * 2)
    expected = sum(shard.n_photos for shard in shards[1:]) / (10 * (len(shards) - 1))
    assert of(worker).per_second == pytest.approx(expected)


def test_notes_of_done_shards_and_of_other_models_do_not_count(worker):
    notes = Notes(worker.vectors.folder, worker.vectors.mark)
    notes.write(RUNNING, note(worker.manifest.shards[0].name))
    Notes(worker.vectors.folder, "0123456789abcdef").write(RUNNING, note("other"))
    assert of(worker).running == ()


def test_a_folder_without_vectors(tmp_path):
    with pytest.raises(ClusterError) as caught:
        status(Folder(str(tmp_path)))
    assert (
        str(caught.value) == f"{tmp_path} holds no vectors; make them: piaa embed MANIFEST --out {tmp_path}"
    )


def test_vectors_of_a_model_that_was_never_begun(worker):
    other = VectorFolder(worker.vectors.folder, "0" * 64)
    with pytest.raises(ClusterError) as caught:
        read_current(other)
    folder = worker.vectors.folder.shown
    assert str(caught.value) == (
        f"{folder} holds no vectors of the model {'0' * 16}; make them: piaa embed MANIFEST --out "
        f"{folder} --model MODEL"
    )
