"""Vectors are what the model gives of each photo, the same bytes whoever makes them, and made once."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow.parquet as parquet
import pytest

from generic.cache.features import FeatureCache
from generic.errors import ClusterError
from generic.model.generic_model import GenericModel
from generic.photos.facts import photo_facts
from piaa.cluster.embed import embed, share
from piaa.cluster.folder import Folder
from piaa.cluster.manifest import read_manifest
from piaa.cluster.notes import RUNNING, Note, Notes
from piaa.cluster.processes import run_in_processes
from piaa.cluster.vectors import VectorFolder
from piaa.cluster.work import Job, Worker


@pytest.fixture
def job(manifest, tmp_path, tiny_graph) -> Job:
    return Job(manifest=manifest, out=str(tmp_path / "vectors"), model=str(tiny_graph))


def vector_files(folder):
    return sorted(it for it in folder.glob("*.parquet") if it.name[0] != "o" and ".broken." not in it.name)


def test_each_photo_is_what_the_model_gives_of_its_file(job, tmp_path, photos, tiny_graph):
    done = embed(job)
    assert (done.photos, done.broken, done.before, done.failed) == (13, 1, 0, {})
    rows = [
        row for file in vector_files(tmp_path / "vectors") for row in parquet.read_table(file).to_pylist()
    ]
    assert len(rows) == 12
    paths = [photos / row["uri"] for row in rows]
    with FeatureCache.open(None) as cache:
        expected = list(GenericModel(tiny_graph).embed(paths, cache=cache))
    for row, path, one in zip(rows, paths, expected, strict=True):
        assert row["sha256"] == hashlib.sha256(path.read_bytes()).digest()
        assert row["identity"].hex() == one.identity
        assert row["taken"] == photo_facts(path).taken
        assert np.float32(row["generic"]) == one.vector[0]
        assert np.array_equal(np.float16(row["vector"]), one.vector[1:].astype(np.float16))


def test_what_is_broken_is_told_beside(job, tmp_path, photos):
    embed(job)
    (file,) = (tmp_path / "vectors").glob("*.broken.parquet")
    (row,) = parquet.read_table(file).to_pylist()
    assert row["uri"] == str(photos / "summer" / "notes.jpg")
    assert row["error"].startswith(row["uri"])


def test_the_bytes_do_not_depend_on_who_makes_them(job, tmp_path, content):
    embed(job)
    once = content(tmp_path / "vectors")
    for number in (1, 0, 2):
        other = Job(manifest=job.manifest, out=str(tmp_path / "shares"), model=job.model)
        embed(other, part=(number, 3))
    assert content(tmp_path / "shares") == once
    pool = Job(manifest=job.manifest, out=str(tmp_path / "pool"), model=job.model)
    done = embed(pool, launch=lambda shards, progress: run_in_processes(pool, shards, 2, progress))
    assert content(tmp_path / "pool") == once
    assert (done.photos, done.broken) == (13, 1)


def test_what_is_done_is_not_done_again(job, tmp_path):
    embed(job)
    files = vector_files(tmp_path / "vectors")
    files[0].unlink()
    left = tmp_path / "vectors" / f".piaa-{files[1].stem}-0123456789ab.parquet"
    left.write_bytes(b"killed while it was written")
    times = [file.stat().st_mtime_ns for file in files[1:]]
    done = embed(job)
    assert (done.shards, done.before) == (1, len(files) - 1)
    assert [file.stat().st_mtime_ns for file in files[1:]] == times
    assert not left.exists()


def test_a_note_of_a_shard_that_is_done_goes(job, tmp_path, content):
    embed(job)
    before = content(tmp_path / "vectors")
    worker = Worker(job)
    note = Note(shard=worker.manifest.shards[0].name, host="here", process=1, photos=0, seconds=0.0, when=0.0)
    Notes(worker.vectors.folder, worker.vectors.mark).write(RUNNING, note)
    embed(job)
    assert content(tmp_path / "vectors") == before


def test_progress_tells_of_every_photo_once(job):
    told = []
    totals = []

    def begun(total):
        totals.append(total)
        return told.append

    embed(job, progress=begun)
    assert (totals, sum(told)) == ([13], 13)


def test_a_shard_that_fails_leaves_the_others_and_is_told(job, tmp_path):
    shards = read_manifest(Folder(job.manifest)).shards
    (tmp_path / "manifest" / f"{shards[1].name}.parquet").write_bytes(b"damaged")
    with pytest.raises(ClusterError) as caught:
        embed(job)
    start = f"1 of {len(shards)} shards failed; {len(shards) - 1} shards done, which stay; "
    start += "the first that failed, "
    assert str(caught.value).startswith(
        f"{start}{shards[1].name}: {shards[1].name}.parquet in {job.manifest} is "
    )
    assert len(vector_files(tmp_path / "vectors")) == len(shards) - 1
    (note,) = (tmp_path / "vectors" / "failed").iterdir()
    assert note.name.startswith(shards[1].name)
    assert not list((tmp_path / "vectors" / "running").iterdir())


def test_another_models_vectors_lie_beside(job, tmp_path, tiny_model, content):
    embed(job)
    before = content(tmp_path / "vectors")
    embed(Job(manifest=job.manifest, out=job.out, model=str(tiny_model)))
    after = content(tmp_path / "vectors")
    assert {name: after[name] for name in before} == before
    assert len(after) == 2 * len(before)


def test_vectors_come_back_as_they_were_rounded(job, tmp_path):
    embed(job)
    vectors = VectorFolder(Folder(job.out), Worker(job).model.hash)
    for shard in read_manifest(Folder(job.manifest)).shards:
        table = parquet.read_table(tmp_path / "vectors" / vectors.name_of(shard.name))
        found = vectors.read(shard.name)
        assert found.uris == table["uri"].to_pylist()
        assert found.vectors[:, 1:].tolist() == table["vector"].to_pylist()
        assert found.vectors[:, 0].tolist() == table["generic"].to_pylist()


def test_shares_are_all_shards_once():
    everything = list(range(10))
    assert sorted(one for i in range(4) for one in share(everything, i, 4)) == everything
