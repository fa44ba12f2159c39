"""Why a photo lies where it lies."""

from __future__ import annotations

import numpy as np
import pytest

from piaa.page.why import why


def test_the_nearest_rated_photos_come_with_her_stars(state):
    for row, stars in enumerate((5, 1, 4, 2, 3, 5, 1)):
        state.answers.rate("ana", row, stars)
    taste = state.learner.settled("ana")
    scores = taste.learned.adapter.predict(state.album.vectors(range(7, 12))).score
    row = 7 + int(np.abs(scores - 0.5).argmin())  # towards an end of the scale a score is no sum
    told = why(state.album, state.model, taste, row)
    assert len(told["near"]) == 4
    likeness = [one["likeness"] for one in told["near"]]
    assert likeness == sorted(likeness, reverse=True)
    assert {one["row"]: one["score"] for one in told["near"]}.items() <= taste.words(state.album).own.items()
    parts = sum(one["adds"] for one in told["directions"])
    assert told["generic"] + told["others"] + told["alike"] + parts == pytest.approx(
        (taste.learned.adapter.predict(state.album.vectors([row])).score[0] * 4)
        - (taste.learned.adapter.predict(state.album.vectors(range(7)).mean(0)[None]).score[0] * 4),
        abs=0.1,
    )


def test_few_ratings_name_the_nearest_alone(state):
    state.answers.rate("ana", 0, 5)
    told = why(state.album, state.model, state.learner.settled("ana"), 9)
    assert [one["row"] for one in told["near"]] == [0]
    assert told["directions"] == []


def test_nobody_rated_nothing_is_near(state):
    assert why(state.album, state.model, state.learner.settled("ana"), 9)["near"] == []
