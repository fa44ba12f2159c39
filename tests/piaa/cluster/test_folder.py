"""Files of a folder are whole or not there, on a disk and in a bucket."""

from __future__ import annotations

import pytest

from generic.errors import ClusterError, OutputError
from piaa.cluster import folder as folder_module
from piaa.cluster.folder import Folder, patiently


@pytest.fixture(params=["disk", "bucket"])
def folder(request, tmp_path) -> Folder:
    if request.param == "disk":
        return Folder(str(tmp_path / "folder"))
    pytest.importorskip("fsspec")
    return Folder(f"memory://{tmp_path.name}")


def test_what_is_written_is_read_listed_and_removed(folder):
    assert folder.read("a.bin") is None
    assert folder.stamps() == {}
    folder.write("a.bin", b"one")
    folder.write("a.bin", b"two!")
    folder.write("inside/b.bin", b"x")
    assert folder.read("a.bin") == b"two!"
    assert {name: stamp.size for name, stamp in folder.stamps().items()} == {"a.bin": 4}
    assert list(folder.stamps("inside")) == ["b.bin"]
    folder.remove("a.bin")
    folder.remove("a.bin")
    assert folder.read("a.bin") is None


def test_what_kills_left_goes_with_the_file_that_it_was_for(tmp_path):
    folder = Folder(str(tmp_path))
    for name in (".piaa-a-0123456789ab.bin", ".piaa-b-0123456789ab.bin"):
        (tmp_path / name).write_bytes(b"half")
    folder.write("a.bin", b"whole")
    assert sorted(it.name for it in tmp_path.iterdir()) == [".piaa-b-0123456789ab.bin", "a.bin"]
    (tmp_path / "b.bin").write_bytes(b"whole")
    folder.sweep_all()
    assert sorted(it.name for it in tmp_path.iterdir()) == ["a.bin", "b.bin"]


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path, tmpfs):
    with tmpfs(tmp_path / "small", "64k"):
        folder = Folder(str(tmp_path / "small" / "vectors"))
        with pytest.raises(OutputError) as caught:
            folder.write("a.bin", bytes(2**20))
        assert str(caught.value).endswith(
            "a.bin': the disk is full; free some space or name a file in another folder"
        )
        assert list((tmp_path / "small" / "vectors").iterdir()) == []


def test_who_fails_for_a_while_is_asked_again(monkeypatch):
    monkeypatch.setattr(folder_module, "_WAITS", (0, 0))
    answers = [OSError("slow down"), TimeoutError("no answer"), "fine"]

    def ask():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert patiently(ask) == "fine"
    answers[:] = [OSError("slow down")] * 3
    with pytest.raises(OSError, match="slow down"):
        patiently(ask)
    answers[:] = [PermissionError("no"), "fine"]
    with pytest.raises(PermissionError):
        patiently(ask)


def test_a_url_that_nobody_knows_is_refused_in_a_line():
    pytest.importorskip("fsspec")
    with pytest.raises(ClusterError) as caught:
        Folder("nothing://bucket")
    message = str(caught.value)
    assert message.startswith("nothing://bucket cannot be opened: ")
    assert "\n" not in message
