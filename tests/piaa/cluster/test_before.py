"""Photos of a changed shard that are as they were are not read again, and the files are the same bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from piaa.cluster import embedding
from piaa.cluster.before import NAME, read_before
from piaa.cluster.embed import embed
from piaa.cluster.folder import Folder
from piaa.cluster.manifest import read_manifest, read_photos, write_manifest
from piaa.cluster.work import Job


@pytest.fixture
def job(manifest, tmp_path, tiny_graph) -> Job:
    return Job(manifest=manifest, out=str(tmp_path / "vectors"), model=str(tiny_graph))


@pytest.fixture
def read(monkeypatch):
    """The photos that were read, by name."""
    names = []
    whole = embedding.read_photo

    def noted(uri):
        names.append(uri.rpartition("/")[2])
        return whole(uri)

    monkeypatch.setattr(embedding, "read_photo", noted)
    return names


def again(job, photos) -> set[str]:
    """List again; the shards that are new."""
    before = {shard.name for shard in read_manifest(Folder(job.manifest)).shards}
    written = write_manifest(str(photos), Folder(job.manifest), shard_size=4)
    return {shard.name for shard in written.manifest.shards} - before


def fresh(job, tmp_path, content) -> dict[str, bytes]:
    """What is made of the same manifest where nothing was before."""
    (tmp_path / "manifest" / NAME).unlink()
    embed(Job(manifest=job.manifest, out=str(tmp_path / "fresh"), model=job.model))
    return content(tmp_path / "fresh")


def test_only_what_is_new_is_read(job, photos, tmp_path, content, read):
    embed(job)
    (photos / "photo-02.jpg").write_bytes((photos / "photo-01.jpg").read_bytes())
    new = again(job, photos)
    read.clear()
    embed(job)
    assert read == ["photo-02.jpg"]
    found = content(tmp_path / "vectors")
    expected = fresh(job, tmp_path, content)
    assert len(new) == 1
    assert {name: found[name] for name in expected} == expected


def test_a_photo_that_was_broken_is_looked_at_again(job, photos, read):
    embed(job)
    folder = Folder(job.manifest)
    shards = [read_photos(folder, shard) for shard in read_manifest(folder).shards]
    (beside,) = (shard for shard in shards if any(it.uri.endswith("notes.jpg") for it in shard))
    changed = next(Path(it.uri) for it in beside if not it.uri.endswith("notes.jpg"))
    changed.write_bytes((photos / "photo-01.jpg").read_bytes())
    again(job, photos)
    read.clear()
    embed(job)
    assert set(read) == {changed.name, "notes.jpg"}


def test_listed_twice_before_anything_is_embedded(job, photos, read):
    embed(job)
    for number in (2, 3):
        (photos / f"photo-0{number}.jpg").write_bytes((photos / "photo-01.jpg").read_bytes())
        again(job, photos)
    read.clear()
    embed(job)
    assert sorted(read) == ["photo-02.jpg", "photo-03.jpg"]


def test_a_shard_of_before_that_is_damaged_is_no_loss(job, photos, tmp_path, read):
    embed(job)
    (photos / "photo-02.jpg").write_bytes((photos / "photo-01.jpg").read_bytes())
    (new,) = again(job, photos)
    for name in read_before(Folder(job.manifest))[new]:
        (tmp_path / "manifest" / f"{name}.parquet").write_bytes(b"damaged")
    read.clear()
    assert embed(job).shards == 1
    assert "photo-02.jpg" in read


def test_a_first_manifest_has_none_before(manifest):
    assert read_before(Folder(manifest)) == {}
