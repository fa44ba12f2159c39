"""Sidecars, copies, links and HTML: written when asked for, taken back, and never a photo."""

from __future__ import annotations

import hashlib
import json
import sys

import numpy as np
import pytest

from generic.errors import OutputError, PiaaError
from piaa.page.page_state import open_page


@pytest.fixture
def taste(state):
    for row, stars in enumerate((5, 1, 4, 2)):
        state.answers.rate("ana", row, stars)
    return state.learner.settled("ana")


def files_of(folder):
    found = (path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in found
    }


def test_a_dry_run_writes_nothing_writing_writes_sidecars_and_undo_takes_them_back(state, taste, photos):
    before = files_of(photos)
    planned = state.saving.sidecars(taste, stars=True, dry_run=True)
    assert (planned["n_sidecars"], planned["n_new"], planned["n_stars"], planned["n_rated"]) == (12, 12, 8, 4)
    assert files_of(photos) == before
    written = state.saving.sidecars(taste, stars=True, dry_run=False)
    assert written["n_written"] == 12
    after = files_of(photos)
    assert {name: after[name] for name in before} == before
    assert sum(name.endswith(".xmp") for name in after) == 12
    undone = state.saving.undo_sidecars("ana")
    assert (undone["n_removed"], undone["skipped"]) == (12, {})
    assert files_of(photos) == before


def test_the_best_are_those_that_the_wall_shows_first(state, taste, tmp_path):
    placed = state.saving.best(taste, 2, str(tmp_path / "best"), "copy", None)
    assert placed["placed"][0] == "photo-01.jpg"  # five stars of hers
    assert placed["lines"] == [f"2 photos copied to {tmp_path / 'best'}"]
    linked = state.saving.best(taste, 12, str(tmp_path / "links"), "link", np.zeros(12, np.int32))
    assert linked["placed"] == ["photo-01.jpg"]  # of one burst the best alone


def test_a_raw_file_goes_where_the_jpeg_of_its_name_goes(state, taste, photos, tmp_path):
    (photos / "photo-01.nef").write_bytes(b"raw")
    placed = state.saving.best(taste, 1, str(tmp_path / "best"), "copy", None)
    assert placed["placed"] == ["photo-01.jpg", "photo-01.nef"]
    assert placed["lines"] == [f"1 photo copied to {tmp_path / 'best'}, with 1 raw file"]


@pytest.mark.skipif(sys.platform == "darwin", reason="its disks take names in UTF-8 alone")
def test_names_that_are_not_utf_8_are_told_and_written(photos, model, tmp_path, until):
    (photos / "photo-01.jpg").rename(photos / "Z\udcfcrich.jpg")
    page = open_page(photos, model, user="ana", store=tmp_path / "piaa.db")
    page.start()
    until(lambda: page.album.n_known == len(page.album) and page.stars.n_found)
    page.answers.rate("ana", 1, 5)
    told = page.saving.sidecars(page.learner.settled("ana"), stars=False, dry_run=False)
    page.stop()
    assert json.dumps(told, ensure_ascii=False).encode()
    assert "Z\\udcfcrich.jpg.xmp" in told["names"]
    assert (photos / "Z\udcfcrich.jpg.xmp").exists()


def test_nothing_is_put_among_the_photos_or_under_half_a_path(state, taste, photos):
    with pytest.raises(OutputError, match="whose photos are ranked"):
        state.saving.best(taste, 2, str(photos / "best"), "copy", None)
    with pytest.raises(OutputError) as error:
        state.saving.best(taste, 2, "best", "copy", None)
    assert str(error.value) == "'best' is no folder's whole path; give one that begins at the top, or with ~"


def test_the_ranking_as_html_has_every_photo(state, taste, tmp_path):
    told = state.saving.html(taste, str(tmp_path / "wall"))
    text = (tmp_path / "wall" / "index.html").read_text()
    assert told["page"] == str(tmp_path / "wall" / "index.html")
    assert text.count("<figure") == 12
    assert "Ranked for ana" in text


def test_the_crowds_scores_are_not_written_as_hers(state):
    with pytest.raises(PiaaError) as error:
        state.saving.sidecars(state.learner.settled("ben"), stars=False, dry_run=False)
    assert str(error.value) == (
        "nothing was learned of 'ben' yet, so no score can be written; rate a photo first"
    )


def test_the_home_of_nobody_is_no_place(client):
    for path, more in (("/api/html", {}), ("/api/best", {"n": 3})):
        answer = client.post(path, json={"user": "ana", "folder": "~nobody-is-called-so/best", **more})
        assert answer.status_code == 400
        assert answer.json()["error"] == (
            "'~nobody-is-called-so/best' is no folder's whole path; give one that begins at the top, "
            "or with ~"
        )


@pytest.mark.parametrize(("path", "more"), [("/api/html", {}), ("/api/best", {"n": 3})])
@pytest.mark.parametrize("name", ["x" * 256, "é" * 128, "y" * 300 + "/deeper"])
def test_a_name_too_long_for_a_folder_is_one_line(client, tmp_path, path, more, name):
    folder = str(tmp_path / name)
    answer = client.post(path, json={"user": "ana", "folder": folder, **more})
    assert answer.status_code == 400
    assert answer.json()["error"] == f"cannot write into {folder}: File name too long; name another folder"
