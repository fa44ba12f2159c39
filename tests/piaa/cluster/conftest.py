"""Photos enough for several shards, and their manifest."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from piaa.cluster.embed import embed
from piaa.cluster.folder import Folder
from piaa.cluster.manifest import write_manifest
from piaa.cluster.work import Job

pytest.importorskip("pyarrow", reason="the core has no pyarrow")


@pytest.fixture
def photos(tmp_path, album) -> Path:
    """The album in a folder of its own, with one file that is no photo."""
    folder = tmp_path / "photos"
    shutil.copytree(album, folder)
    (folder / "summer" / "notes.jpg").write_text("not a photo")
    return folder


@pytest.fixture
def manifest(tmp_path, photos) -> str:
    """The folder of a manifest with several shards of these photos."""
    write_manifest(str(photos), Folder(str(tmp_path / "manifest")), shard_size=4)
    return str(tmp_path / "manifest")


@pytest.fixture
def many(tmp_path, photos) -> str:
    """A manifest of 104 photos in thirty shards or so."""
    for number in range(7):
        shutil.copytree(photos / "summer", photos / f"summer {number}")
        for path in photos.glob("photo-*"):
            shutil.copy(path, photos / f"summer {number}" / f"again {path.name}")
    write_manifest(str(photos), Folder(str(tmp_path / "manifest")), shard_size=3)
    return str(tmp_path / "manifest")


@pytest.fixture
def content():
    """``content(folder)``: every file below it with its bytes, hidden ones too."""

    def read(folder: Path) -> dict[str, bytes]:
        return {
            it.relative_to(folder).as_posix(): it.read_bytes() for it in folder.rglob("*") if it.is_file()
        }

    return read


@pytest.fixture
def job(many, tmp_path, tiny_graph) -> Job:
    return Job(manifest=many, out=str(tmp_path / "vectors"), model=str(tiny_graph))


@pytest.fixture
def alone(job, tmp_path, content) -> dict[str, bytes]:
    """What one process makes that nobody kills."""
    embed(Job(manifest=job.manifest, out=str(tmp_path / "alone"), model=job.model))
    return content(tmp_path / "alone")
