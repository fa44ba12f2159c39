"""People are learned again after each answer; what was learned is kept when they pause or stop."""

from __future__ import annotations

import numpy as np

from piaa.page import taste as taste_module
from piaa.people.model import Model


def answered(state, user, *stars):
    for row, n in enumerate(stars):
        state.answers.rate(user, row, n)
        state.learner.answered(user)


def test_after_an_answer_scores_are_those_of_a_fit_of_all_answers(state, until):
    answered(state, "ana", 5, 1, 4, 2)
    until(lambda: len(state.learner.of("ana").taste.said.ratings) == 4)
    standing = state.learner.of("ana")
    person = Model(state.model.generic, state.model.settings).refit("ana", store=state.store.database.name)
    expected = person.adapter.predict(state.album.vectors(range(12))).score
    np.testing.assert_allclose(standing.scores, 1 + 4 * expected, atol=1e-5)
    assert standing.words.own == {0: 5.0, 1: 1.0, 2: 4.0, 3: 2.0}


def test_somebody_new_has_the_crowds_ranking(state):
    scores = state.learner.of("nobody yet").scores
    generic = state.album.vectors(range(12))[:, 0]
    assert np.argsort(-scores).tolist() == np.argsort(-generic).tolist()
    assert [one.user for one in state.store.users()] == []  # looking makes nobody


def test_what_was_learned_is_kept_as_a_version_when_the_page_stops(state):
    answered(state, "ana", 5, 1)
    answered(state, "ben", 2)
    state.learner.stop()
    assert [(one.adapter, one.n_ratings) for one in state.store.versions("ana")] == [("auto", 2)]
    assert [(one.adapter, one.n_ratings) for one in state.store.versions("ben")] == [("auto", 1)]


def test_many_ratings_are_learned_quickly_first_and_as_usual_in_a_pause(state, until, monkeypatch):
    monkeypatch.setattr(taste_module, "MANY", 2)
    answered(state, "ana", 5, 1, 4)
    until(lambda: state.learner.of("ana").taste.is_quick)
    assert state.learner.of("ana").taste.learned.adapter.name == "bayes"
    state.learner._keep_all(at_once=True)
    assert state.learner.of("ana").taste.learned.adapter.name == "auto"
    assert [one.adapter for one in state.store.versions("ana")] == ["auto"]


def test_comparisons_alone_are_learned_from(state, until):
    for a, b in ((0, 1), (2, 3), (4, 5)):
        state.answers.compare("ana", a, b, "a")
        state.learner.answered("ana")
    until(lambda: state.learner.of("ana").words.n_comparisons == 3)
    until(lambda: state.learner.of("ana").taste.learned is not None)
    assert state.learner.of("ana").taste.learned.adapter.name == "pairs"
