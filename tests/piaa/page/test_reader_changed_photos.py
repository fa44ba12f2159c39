"""A file that became another photo while the page is open: neither scored nor rated as the one before."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest

from generic.cache.features import FeatureCache


@pytest.fixture
def replaced(state, photos):
    """Photo 0 as it was read, and its file as another photo now."""
    before = state.album.photos[0]
    shutil.copy(photos / "photo-02.jpg", photos / "photo-01.jpg")
    return before


def vector_of(model, path):
    with FeatureCache.open(None) as nothing:
        (read,) = model.generic.embed([path], cache=nothing)
    return read.vector


def test_its_old_vector_is_not_scored_as_the_new(state, replaced, model, photos, until):
    state.answers.rate("ana", 2, 5)
    state.answers.rate("ana", 3, 1)
    state.learner.answered("ana")
    until(lambda: state.learner.of("ana").taste.learned)
    assert state.reader.look_again() == [0]
    until(lambda: state.album.is_known(0))
    assert state.album.photos[0].identity == state.album.photos[1].identity != replaced.identity
    np.testing.assert_array_equal(state.album.vectors([0])[0], vector_of(model, photos / "photo-01.jpg"))
    until(lambda: len(set(state.learner.of("ana").scores[:2].tolist())) == 1)  # as its twin
    np.testing.assert_array_equal(*state.learner.ground.places(np.array([0, 1])))


def test_the_page_looks_for_such_files_by_itself(state, replaced, until):
    state.reader._look_at = 0.0
    until(lambda: state.album.photos[0].identity not in ("", replaced.identity))


def test_an_answer_to_what_is_not_there_any_more_is_none(client, state, replaced):
    seen = {"user": "ana", "versions": [replaced.version]}
    for path, more in (("rate", {"row": 0, "stars": 5}), ("flag", {"rows": [0], "flag": "pick"})):
        answer = client.post(f"/api/{path}", json={**seen, **more})
        assert answer.status_code == 400
        assert answer.json()["error"] == (
            "'photo-01.jpg' changed on the disk since it was shown, so nothing was kept; look again"
        )
    versions = [state.album.photos[2].version, replaced.version]
    pair = {"user": "ana", "a": 2, "b": 0, "outcome": "a", "versions": versions}
    assert client.post("/api/compare", json=pair).status_code == 400
    assert state.store.users() == []
    fresh = {"user": "ana", "row": 0, "stars": 5, "versions": [state.album.photos[0].version]}
    assert client.post("/api/rate", json=fresh).status_code == 200
    assert [one.photo for one in state.store.rated("ana")] == [state.album.photos[1].identity]


def test_a_picture_of_another_version_is_not_kept_for_ever(client, state, replaced):
    answer = client.get("/photo/0", params={"v": replaced.version})
    assert answer.headers["cache-control"] == "no-store"
    again = client.get("/photo/0", params={"v": state.album.photos[0].version})
    assert again.headers["cache-control"] == "private, max-age=31536000, immutable"


def test_what_leaves_the_page_is_scored_anew(client, state, replaced, tmp_path):
    told = client.post("/api/html", json={"user": "ana", "folder": str(tmp_path / "wall")})
    assert told.status_code == 200
    assert state.album.photos[0].identity == state.album.photos[1].identity


def test_a_photo_that_became_a_link_out_of_the_folder_is_not_read(client, state, photos, tmp_path, until):
    seen = state.album.photos[0].version
    shutil.copy(photos / "photo-02.jpg", tmp_path / "secret.jpg")
    (photos / "photo-01.jpg").unlink()
    (photos / "photo-01.jpg").symlink_to(tmp_path / "secret.jpg")
    state.reader.look_again()
    until(lambda: state.album.photos[0].error)
    gone = "'photo-01.jpg' is not in the folder any more; open the page again"
    for path in ("/thumb/0", "/photo/0", "/photo/0/whole"):
        assert client.get(path, params={"v": seen}).status_code == 400
    answer = client.post("/api/rate", json={"user": "ana", "row": 0, "stars": 5})
    assert (answer.status_code, answer.json()) == (400, {"error": gone})


def test_new_stars_in_a_file_make_no_other_photo_of_it(client, state, photos):
    seen = state.album.photos[0].version
    os.utime(photos / "photo-01.jpg", (1, 1))
    answer = client.post("/api/rate", json={"user": "ana", "row": 0, "stars": 4, "versions": [seen]})
    assert answer.status_code == 200
