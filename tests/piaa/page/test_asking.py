"""What is asked next, and what answers are said to be worth."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from piaa.page.asking import Asking, compared_words, worth_of
from piaa.page.taste import Taste, learned_from, look
from piaa.people.asking import BOTH, COMPARISONS
from piaa.people.estimate import RankEstimate
from piaa.people.expected import TABLE, gain_of
from piaa.people.suggest import knowledge, suggest
from piaa.store.records import StoredRating
from piaa.store.said import Said


def asking(state, user="ana"):
    taste = learned_from(look(state.store, state.model, user), state.store, state.model, quick=True)
    return Asking(album=state.album, model=state.model, taste=taste)


def test_photos_are_those_of_suggest_without_the_rated_ones(state):
    state.answers.rate("ana", 4, 5)
    found = asking(state).photos(3)
    prior = state.model.prior
    rated = (state.album.vectors([4]), np.array([1.0]))
    left = [row for row in range(12) if row != 4]
    picks = suggest(prior, knowledge(prior, rated), state.album.vectors(range(12)), 3, candidates=left)
    assert found == [one.row for one in picks]


def test_the_photo_that_teaches_most_is_the_first_one_asked_for(state):
    one = asking(state)
    assert int(np.argmax(one.falls())) == one.photos(1)[0]


def test_nothing_is_asked_when_all_are_rated(state):
    for row in range(12):
        state.answers.rate("ana", row, 1 + row % 5)
    assert asking(state).photos() == []


def test_pairs_are_those_of_suggest(state):
    state.answers.rate("ana", 4, 5)
    prior, rated = state.model.prior, (state.album.vectors([4]), np.array([1.0]))
    picks = suggest(prior, knowledge(prior, rated), state.album.vectors(range(12)), 2, seconds=COMPARISONS)
    assert asking(state).pair() == (picks[0].row, picks[0].other)
    assert asking(state).pair(skip=1) == (picks[1].row, picks[1].other)
    both = suggest(prior, knowledge(prior, rated), state.album.vectors(range(12)), 1, seconds=BOTH)
    assert asking(state).is_pair_better() == (both[0].other is not None)


def test_pairs_are_never_asked_twice_and_begin_with_photos_that_were_not_compared(state):
    asked = []
    while pair := asking(state).pair():
        asked.append(frozenset(pair))
        state.answers.compare("ana", *pair, "equal")
    assert len(set(asked)) == len(asked) > 6
    assert len(frozenset().union(*asked[:6])) == 12
    assert asking(state).pair(skip=66) is None


def test_no_pair_is_of_one_burst(state):
    bursts = np.array([0] * 6 + [1] * 5 + [-1], np.int32)
    one = replace(asking(state), bursts=bursts)
    for skip in range(3):
        pair = one.pair(skip)
        assert pair is None or bursts[pair[0]] != bursts[pair[1]]
    assert one.pair() is not None
    assert len({int(bursts[row]) for row in one.photos(3)}) == 3


def test_of_a_burst_one_photo_is_asked_for_until_nothing_else_is_left(state):
    bursts = np.array([0] * 10 + [1, -1], np.int32)
    state.answers.rate("ana", 4, 5)
    assert sorted(replace(asking(state), bursts=bursts).photos()) == [10, 11]
    state.answers.rate("ana", 10, 5)
    state.answers.rate("ana", 11, 5)
    assert len(replace(asking(state), bursts=bursts).photos()) == 1


def rated(k):
    return Taste(user="ana", said=Said(ratings=tuple(StoredRating(image=f"{n}", score=3) for n in range(k))))


class Measured:
    """The model that was measured, as far as its worth is asked for."""

    class generic:  # noqa: N801
        hash = json.loads(TABLE.read_text())["model_hash"]


@pytest.mark.parametrize(
    ("k", "line"),
    [
        (
            0,
            "Nothing rated yet: this is the crowd’s order. It puts 728 of 1,000 pairs in a person’s own "
            "order, ten ratings bring about 6 more (651 people were measured).",
        ),
        (
            12,
            "12 ratings: about 734 of 1,000 pairs are in order (651 people were measured), 728 by the "
            "crowd’s order. Ten more bring about 5.",
        ),
        (
            100,
            "100 ratings: about 755 of 1,000 pairs are in order (651 people were measured), 727 by the "
            "crowd’s order. Ten more change next to nothing: stop when you like.",
        ),
    ],
)
def test_worth_is_told_in_pairs_of_people_who_were_measured(k, line):
    assert worth_of(rated(k), Measured, None).line == line


def test_her_own_estimate_comes_before_that_of_others():
    estimate = RankEstimate(srcc=0.7, error=0.1, generic=0.6, pairwise=0.8, pairwise_generic=0.75)
    assert worth_of(rated(25), Measured, estimate).line == (
        "25 ratings: about 800 of 1,000 pairs of your photos are in order, 750 by the crowd’s order. "
        "Ten more bring about 3."
    )


def test_gain_falls_with_the_ratings_and_is_unknown_for_another_model():
    gains = [gain_of(k, 10, "auto", Measured.generic.hash) for k in (0, 10, 30, 60, 200)]
    assert gains == sorted(gains, reverse=True)
    assert gains[-1] == 0
    assert gain_of(10, 10, "auto", "0" * 64) is None


def test_comparisons_are_learned_from_beside_ratings_and_the_page_says_so(state):
    state.answers.rate("ana", 0, 4)
    state.answers.compare("ana", 1, 2, "a")
    taste = asking(state).taste
    assert [(one.a, one.b) for one in taste.learned.comparisons] == [("photo-02.jpg", "photo-03.jpg")]
    assert compared_words(taste) == " Learned from 1 comparison, too."


def test_comparisons_alone_are_told_as_such(state):
    state.answers.compare("ana", 1, 2, "a")
    line = worth_of(asking(state).taste, Measured, None).line
    assert line == (
        "1 comparison and no rating: this is your order as far as they tell. Some ratings beside them say "
        "more."
    )
