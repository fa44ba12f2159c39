"""An answer is in the store before anything else happens; undone and redone from there."""

from __future__ import annotations

import pytest

from generic.errors import PiaaError, ScaleError
from piaa.store.saying import Saying
from piaa.store.store import Store


@pytest.fixture
def answers(state):
    return state.answers


def said(state, user="ana"):
    taste = state.store.said(user, state.model.generic.hash)
    names = {one.photo: one.name.split(".")[0] for one in _Named.of(state)}
    return {names[one.photo]: one.score for one in taste.ratings}


class _Named:
    def __init__(self, photo, name):
        self.photo, self.name = photo, name

    @classmethod
    def of(cls, state):
        return [cls(photo.identity, photo.name) for photo in state.album.photos]


def flags(state, user="ana"):
    return {one.image: one.flag for one in state.store.flags(user)}


def test_a_rating_replaces_the_one_before_and_0_takes_it_off(state, answers):
    answers.rate("ana", 0, 4)
    answers.rate("ana", 1, 2)
    answers.rate("ana", 0, 5)
    assert said(state) == {"photo-01": 5.0, "photo-02": 2.0}
    answers.rate("ana", 0, None)
    assert said(state) == {"photo-02": 2.0}
    assert [(one.what, one.source) for one in state.store.history("ana")] == [("rate", "page")] * 3 + [
        ("clear", "page")
    ]


def test_undo_goes_back_step_by_step_and_redo_forward(state, answers):
    answers.rate("ana", 0, 4)
    answers.rate("ana", 0, None)
    answers.flag("ana", [2, 3], "reject")
    answers.flag("ana", [3], None)
    answers.compare("ana", 4, 5, "b")

    def everything():
        known = state.store.said("ana", state.model.generic.hash)
        return said(state), flags(state), [one.outcome for one in known.comparisons]

    steps = [everything()]
    for _ in range(5):
        answers.undo("ana")
        steps.append(everything())
    rejected = {"photo-03.jpg": "reject", "photo-04.png": "reject"}
    assert steps == [
        ({}, {"photo-03.jpg": "reject"}, ["b"]),
        ({}, {"photo-03.jpg": "reject"}, []),
        ({}, rejected, []),
        ({}, {}, []),
        ({"photo-01": 4.0}, {}, []),
        ({}, {}, []),
    ]
    for step in reversed(steps[:-1]):
        answers.redo("ana")
        assert everything() == step
    assert answers.can("ana") == (True, False)


def test_a_new_answer_ends_what_could_be_redone(state, answers):
    answers.rate("ana", 0, 4)
    answers.undo("ana")
    assert answers.can("ana") == (False, True)
    answers.rate("ana", 1, 4)
    with pytest.raises(PiaaError) as error:
        answers.redo("ana")
    assert str(error.value) == "there is nothing to redo: nothing was undone since the last answer"


def test_undo_leaves_alone_what_was_said_elsewhere(state, answers):
    answers.rate("ana", 0, 4)
    table = Saying(ratings=[(state.album.seen(1), 3.0)], model_hash=state.model.generic.hash, source="table")
    state.store.say("ana", table)
    with pytest.raises(PiaaError) as error:
        answers.undo("ana")
    assert str(error.value) == (
        "the last change (rate) was not made here but by 'table'; take it back with: piaa users undo ana"
    )
    assert said(state) == {"photo-01": 4.0, "photo-02": 3.0}


def test_undo_of_somebody_new_says_so(answers):
    with pytest.raises(PiaaError) as error:
        answers.undo("ana")
    assert str(error.value) == "there is nothing to undo: nothing was said yet"


def test_what_is_no_answer_is_refused(answers):
    with pytest.raises(PiaaError) as error:
        answers.rate("ana", 0, 6)
    assert str(error.value) == "6 is no number of stars, expected 1 to 5, or none"
    with pytest.raises(PiaaError) as error:
        answers.compare("ana", 3, 3, "a")
    assert str(error.value) == ("'photo-04.png' and 'photo-04.png' are the same picture; compare two others")
    with pytest.raises(PiaaError) as error:
        answers.flag("ana", [0], "best")
    assert str(error.value) == "'best' is no flag, expected one of pick, reject, or none"


def test_stars_do_not_mix_with_another_scale(state, answers):
    ten = Saying(
        ratings=[(state.album.seen(1), 9.0)],
        model_hash=state.model.generic.hash,
        source="table",
        scale=(0.0, 10.0),
    )
    state.store.say("ana", ten)
    with pytest.raises(ScaleError, match=r"user 'ana' rated on 0\.\.10 so far, not on 1\.\.5"):
        answers.rate("ana", 0, 4)


def test_two_people_have_stars_of_their_own_in_one_store(state, answers):
    answers.rate("ana", 0, 5)
    answers.rate("ben", 0, 1)
    assert (said(state), said(state, "ben")) == ({"photo-01": 5.0}, {"photo-01": 1.0})
    other = Store(state.store.database.name)  # as another process has it
    assert [one.user for one in other.users()] == ["ana", "ben"]
