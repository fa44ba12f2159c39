"""A manifest says what there is, in shards that any reader of Parquet understands."""

from __future__ import annotations

import pyarrow.parquet as parquet
import pytest

from generic.errors import ClusterError
from piaa.cluster.folder import Folder
from piaa.cluster.listing import list_photos
from piaa.cluster.manifest import read_manifest, read_photos, write_manifest


def test_the_shards_hold_the_listing_in_its_order(manifest, photos):
    index = parquet.read_table(f"{manifest}/manifest.parquet").to_pylist()
    rows = [
        row for it in index for row in parquet.read_table(f"{manifest}/{it['shard']}.parquet").to_pylist()
    ]
    assert [tuple(row.values()) for row in rows] == [tuple(it) for it in list_photos(str(photos))]
    assert [it["photos"] for it in index] == [
        parquet.read_table(f"{manifest}/{it['shard']}.parquet").num_rows for it in index
    ]
    assert sum(it["bytes"] for it in index) == sum(row["size"] for row in rows)
    assert len(index) > 2


def test_the_same_source_gives_the_same_bytes(manifest, photos, tmp_path, content):
    written = write_manifest(str(photos), Folder(str(tmp_path / "again")), shard_size=4)
    assert content(tmp_path / "again") == content(tmp_path / "manifest")
    assert (written.n_new, written.n_gone) == (len(written.manifest.shards), 0)


def test_a_changed_source_gives_only_what_is_new(manifest, photos, content):
    before = read_manifest(Folder(manifest)).shards
    (photos / "photo-02.jpg").write_bytes((photos / "photo-01.jpg").read_bytes())
    written = write_manifest(str(photos), Folder(manifest), shard_size=4)
    assert (written.n_new, written.n_gone) == (1, 1)
    assert len(set(written.manifest.shards) & set(before)) == len(before) - 1
    assert read_manifest(Folder(manifest)) == written.manifest


def test_a_damaged_shard_is_told(manifest):
    folder = Folder(manifest)
    shard = read_manifest(folder).shards[0]
    folder.remove(f"{shard.name}.parquet")
    with pytest.raises(ClusterError) as caught:
        read_photos(folder, shard)
    assert str(caught.value) == (
        f"the photos of shard {shard.name} in {manifest} are missing or damaged; give the same piaa "
        "manifest again"
    )


def test_where_no_manifest_is_one_is_asked_for(tmp_path):
    with pytest.raises(ClusterError) as caught:
        read_manifest(Folder(str(tmp_path)))
    assert str(caught.value) == (
        f"{tmp_path} holds no manifest of this piaa; make one: piaa manifest SOURCE --out {tmp_path}"
    )


def test_a_source_without_photos_makes_no_manifest(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ClusterError) as caught:
        write_manifest(str(tmp_path / "empty"), Folder(str(tmp_path / "manifest")))
    assert str(caught.value) == f"{tmp_path / 'empty'} holds no photos; check the place"
    assert not (tmp_path / "manifest").exists()
