"""What all folders of runs do: keep the request, know it again, tell how another one differs."""

from __future__ import annotations

import pytest

from generic.errors import DatasetError, OutputError
from generic.run_folder import RunFolder, as_read_back, differences


@pytest.fixture
def folder(tmp_path):
    class Folder(RunFolder):
        error = DatasetError
        damaged = "of nothing"

    return Folder(tmp_path / "run")


def test_nothing_is_known_of_a_folder_that_is_new(folder):
    assert folder.known() is None
    folder.make("below")
    assert (folder.path / "below").is_dir()
    folder.write_json("config.json", {"a": 1})
    assert (folder.known(), (folder.path / "config.json").read_text()) == ({"a": 1}, '{\n "a": 1\n}\n')
    folder.make("below")
    assert folder.known() == {"a": 1}


def test_a_damaged_request_and_a_file_in_the_way(folder):
    folder.make()
    for content in (b"", b"[1]", b'{"a": ', b"\xff"):
        (folder.path / "config.json").write_bytes(content)
        with pytest.raises(DatasetError) as caught:
            folder.known()
        assert str(caught.value) == (
            f"the run folder {folder.path} has a config.json that is of nothing; name another folder with "
            "--out"
        )
    with pytest.raises(OutputError) as caught:
        folder.make("config.json")
    assert str(caught.value) == (
        f"the run folder {folder.path} cannot be made: File exists; name a folder that you may write to with "
        "--out"
    )


def test_differences_are_in_the_order_of_what_is_asked():
    known = {"gone": 1, "a": {"b": {"c": 1}, "d": [1, 2]}, "same": {}, "filled": {}}
    asked = as_read_back({"filled": {"x": "y" * 80}, "a": {"d": (1, 3), "b": {"c": 2}}, "same": {}})
    assert differences(known, asked) == [
        f"its filled.x is not there, asked for is '{'y' * 58}…",
        "its a.d is [1, 2], asked for is [1, 3]",
        "its a.b.c is 1, asked for is 2",
        "its gone is 1, asked for is not there",
        "its filled is {}, asked for is not there",
    ]
    assert differences(known, known) == []
