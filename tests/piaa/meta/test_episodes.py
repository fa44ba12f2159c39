"""Supports and queries of training users, and who is held out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generic.errors import PiaaError, TooFewRatings
from piaa.meta.config import MetaConfig
from piaa.meta.episodes import MIN_QUERY, Rater, check_shots, draw, hold_out


def rater(name, n, photos=200):
    rng = np.random.default_rng(sum(map(ord, name)))
    return Rater(name=name, rows=rng.permutation(photos)[:n], targets=rng.normal(0, 0.1, n))


@given(n=st.integers(3, 120), low=st.integers(1, 10), more=st.integers(0, 100), seed=st.integers(0, 9))
def test_support_and_query_share_the_ratings_out(n, low, more, seed):
    if n < low + MIN_QUERY:
        return
    who = rater("ana", n)
    episode = draw(who, (low, low + more), np.random.default_rng(seed))
    (support, targets), (query, wanted) = episode.support, episode.query
    assert low <= len(support) <= low + more
    assert len(query) >= MIN_QUERY
    assert sorted([*support, *query]) == sorted(who.rows)
    given_to = dict(zip(who.rows, who.targets, strict=True))
    assert [given_to[row] for row in (*support, *query)] == [*targets, *wanted]


def test_every_number_of_ratings_occurs_the_small_ones_as_often_as_the_large():
    rng, who = np.random.default_rng(0), rater("ana", 150)
    sizes = np.array([len(draw(who, (1, 100), rng).support[0]) for _ in range(20_000)])
    assert set(sizes) == set(range(1, 101))
    # Log-uniform: as many up to 9 as from 11 on, as (1 + 9) / 1 is about (1 + 100) / 10.1.
    assert np.mean(sizes <= 9) == pytest.approx(0.5, abs=0.02)
    fixed = {len(draw(who, (7, 7), rng).support[0]) for _ in range(50)}
    assert fixed == {7}


def test_held_out_users_and_photos_are_apart():
    raters = [rater(f"user{number}", 60) for number in range(20)]
    training, held = hold_out(raters, 200, users=0.25, photos=0.2, shots=1, seed=0)
    assert len(training) == 15
    assert len(held) == 5
    learned = {user.name for user in training}
    assert not learned & {user.rater.name for user in held}
    hidden = set(np.concatenate([user.query.rows for user in held]).tolist())
    seen = set(np.concatenate([user.rows for user in training]).tolist())
    seen |= set(np.concatenate([user.rater.rows for user in held]).tolist())
    assert len(hidden) <= 40
    assert not hidden & seen
    again = hold_out(raters, 200, users=0.25, photos=0.2, shots=1, seed=0)
    assert [user.name for user in again[0]] == [user.name for user in training]


@pytest.mark.parametrize(
    ("n_ratings", "shots", "message"),
    [
        (
            {"ana": 9, "bo": 9, "cy": 9},
            (1, 10),
            "meta-training has 3 training users, but needs at least 4: 2 to learn from, 2 to stop by; "
            "give more people's ratings",
        ),
        (
            {"ana": 9, "bo": 5, "cy": 9, "di": 4},
            (5, 10),
            "training user 'bo' has 5 ratings, but k=5 support + 2 query need 7 (so have 1 more); "
            "lower --shots or leave such users out with --min-ratings 7",
        ),
    ],
)
def test_too_few(n_ratings, shots, message):
    with pytest.raises(TooFewRatings) as caught:
        check_shots(n_ratings, shots)
    assert str(caught.value) == message


def test_settings_that_cannot_be_are_named_all_at_once():
    with pytest.raises(PiaaError) as caught:
        MetaConfig(algorithm="reptile", shots=(5, 2), epochs=0, rate=0.0, held_users=1.0)
    assert str(caught.value) == (
        "meta-training cannot run: algorithm is 'reptile', expected one of anil, maml, meta-sgd; shots are "
        "5..2, expected LOW..HIGH with 1 <= LOW <= HIGH; epochs is 0, expected a whole number from 1; "
        "rate is 0.0, expected a number above 0; held_users is 1.0, expected a share between 0 and 1"
    )
