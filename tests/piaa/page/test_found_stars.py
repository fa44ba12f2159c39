"""Stars in the files are shown, and learned from only if she says so."""

from __future__ import annotations

import pytest

from generic.errors import PiaaError

SIDECAR = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="{}"/></rdf:RDF>'
    "</x:xmpmeta>"
)


@pytest.fixture
def starred(photos):
    for number, stars in ((1, 5), (2, 1), (3, 4)):
        (photos / f"photo-0{number}.jpg.xmp").write_text(SIDECAR.format(stars))


def test_stars_are_found_shown_and_learned_from_when_she_says_so(starred, state, until):
    found = state.stars.of("ana")
    assert (found["n"], found["n_new"], found["counts"]) == (3, 3, {"5": 1, "4": 1, "1": 1})
    assert found["stars"] == {0: 5, 1: 1, 2: 4}
    assert state.store.users() == []  # looking tells nobody's store anything
    told = state.stars.learn("ana")
    assert (told["n_new"], told["n_same"]) == (3, 0)
    state.learner.answered("ana")
    assert state.learner.of("ana").words.own == {0: 5.0, 1: 1.0, 2: 4.0}
    assert state.stars.of("ana")["n_new"] == 0
    assert state.stars.of("ben")["n_new"] == 3
    assert [one.source for one in state.store.rated("ana")] == ["xmp"] * 3


def test_a_star_that_she_changed_here_is_not_taken_back_by_the_files(starred, state):
    state.stars.learn("ana")
    state.answers.rate("ana", 0, 2)
    assert state.stars.learn("ana")["n_new"] == 0
    state.learner.answered("ana")
    assert state.learner.of("ana").words.own[0] == 2.0


def test_one_undo_takes_them_back_and_redo_learns_them_again(starred, client, state):
    state.answers.rate("ana", 5, 3)

    def own():
        state.learner.answered("ana")
        return state.learner.of("ana").words.own

    learned = client.post("/api/stars", json={"user": "ana"})
    assert learned.status_code == 200
    assert own() == {0: 5.0, 1: 1.0, 2: 4.0, 5: 3.0}
    for _ in range(2):
        undone = client.post("/api/undo", json={"user": "ana"})
        assert (undone.status_code, own()) == (200, {5: 3.0})
        assert state.stars.of("ana")["n_new"] == 3
        again = client.post("/api/redo", json={"user": "ana"})
        assert (again.status_code, own()) == (200, {0: 5.0, 1: 1.0, 2: 4.0, 5: 3.0})
    assert {one.source for one in state.store.rated("ana")} == {"page", "xmp"}
    state.answers.undo("ana")
    assert state.answers.undo("ana") == "rate"  # the one before them
    assert own() == {}


def test_stars_learned_in_the_terminal_are_not_taken_back_here(starred, state):
    state.stars.learn("ana")  # past the page, as piaa learn does
    with pytest.raises(PiaaError, match="was not made here but by 'xmp'"):
        state.answers.undo("ana")
