from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generic.errors import PiaaError, RatingsError, TooFewRatings
from generic.seeds import stream
from piaa.ratings.scale import Scale
from piaa.ratings.table import Ratings
from protocols.fewshot.episodes import episodes

SCALE = Scale(1, 5)

counts = st.dictionaries(
    st.sampled_from(["ana", "bo", "cy", "dee", "eve"]), st.integers(6, 14), min_size=1, max_size=5
)


def rows_of(counted):
    """Rows with as many images per user as asked for; users share images."""
    return [(user, f"i{number}.jpg", 1 + number % 5) for user, n in counted.items() for number in range(n)]


def ratings_of(counted):
    return Ratings.from_rows(rows_of(counted), scale=SCALE)


def plan_for(counted, **options):
    basic = {"users": list(counted), "shots": (2, 4), "repeats": 3, "seed": 0, "dataset": "d"}
    return episodes(ratings_of(counted), **{**basic, **options})


def images(ratings, plan):
    """(user, k, repeat) -> image names of support and of query, in the order drawn."""
    found = {}
    for e in plan.episodes:
        own = ratings.for_user(e.user).images
        key = (e.user, e.k, e.repeat)
        found[key] = ([own[row] for row in e.support], [own[row] for row in e.query])
    return found


def refusal(error, counted, **options):
    with pytest.raises(error) as caught:
        plan_for(counted, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@given(counts, st.integers(0, 5))
def test_an_episode_uses_each_rating_at_most_once_and_rest_uses_all(counted, seed):
    plan = plan_for(counted, seed=seed)
    assert [(e.user, e.repeat, e.k) for e in plan.episodes] == [
        (user, repeat, k) for user in counted for repeat in range(3) for k in (2, 4)
    ]
    for e in plan.episodes:
        assert len(e.support) == e.k
        assert sorted([*e.support, *e.query]) == list(range(counted[e.user]))
    assert plan.skipped == {}


@given(counts)
def test_supports_are_nested_and_the_common_query_is_one_for_every_k(counted):
    plan = plan_for(counted, query="common")
    for small, large in zip(plan.episodes[::2], plan.episodes[1::2], strict=True):
        assert (small.k, large.k) == (2, 4)
        assert small.support.tolist() == large.support[:2].tolist()
        assert small.query.tolist() == large.query.tolist()
        assert sorted([*large.support, *large.query]) == list(range(counted[large.user]))


@given(counts, counts, st.integers(0, 9))
def test_users_added_or_removed_change_nobody_elses_episodes(counted, more, seed):
    base, wide = plan_for(counted, seed=seed), plan_for({**more, **counted}, seed=seed)
    old, new = images(ratings_of(counted), base), images(ratings_of({**more, **counted}), wide)
    assert {key: new[key] for key in old} == old


@given(counts, st.randoms())
def test_the_order_of_rows_in_the_file_has_no_part_in_it(counted, random):
    rows = rows_of(counted)
    shuffled = list(rows)
    random.shuffle(shuffled)
    users = list(counted)
    found = []
    for each in (rows, shuffled):
        ratings = Ratings.from_rows(each, scale=SCALE)
        plan = episodes(ratings, users=users, shots=(2, 4), repeats=2, seed=1, dataset="d")
        found.append(images(ratings, plan))
    assert found[0] == found[1]


def test_the_support_is_the_named_streams_permutation():
    """By hand: i10.jpg sorts before i2.jpg, and the stream permutes the sorted rows."""
    plan = plan_for({"ana": 12}, shots=(5,), repeats=1, seed=7)
    by_name = [0, 1, 10, 11, *range(2, 10)]
    order = stream(7, "kshot", "d", "ana", 0).permutation(12)
    expected = [by_name[place] for place in order]
    assert plan.episodes[0].support.tolist() == expected[:5]
    assert plan.episodes[0].query.tolist() == expected[5:]


def test_repeats_seeds_datasets_and_users_draw_apart():
    supports = [tuple(e.support) for e in plan_for({"ana": 14, "bo": 14}, shots=(9,)).episodes]
    supports += [
        tuple(plan_for({"ana": 14}, shots=(9,), **o).episodes[0].support)
        for o in ({"seed": 1}, {"dataset": "e"})
    ]
    assert len(set(supports)) == 2 * 3 + 2


def test_the_same_seed_gives_the_same_plan_to_the_bit():
    first, second = plan_for({"ana": 14, "bo": 9}), plan_for({"ana": 14, "bo": 9})
    for a, b in zip(first.episodes, second.episodes, strict=True):
        assert a.support.tobytes() == b.support.tobytes()
        assert a.query.tobytes() == b.query.tobytes()


def test_more_repeats_or_shots_keep_the_first_ones():
    few, many = plan_for({"ana": 14}, repeats=2, shots=(4,)), plan_for({"ana": 14}, repeats=5, shots=(8, 4))
    kept = [e for e in many.episodes if e.k == 4 and e.repeat < 2]
    assert [e.support.tolist() for e in few.episodes] == [e.support.tolist() for e in kept]


def test_an_episode_cannot_be_changed_by_who_uses_it():
    episode = plan_for({"ana": 8}).episodes[0]
    with pytest.raises(ValueError, match="read-only"):
        episode.support[0] = 5


def test_an_impossible_episode_fails_before_anything_is_computed():
    options = {"shots": (10,), "users": ["A17"]}
    assert refusal(TooFewRatings, {"A17": 7}, **options) == (
        "user 'A17' has 7 ratings, but k=10 support + 2 query need 12; "
        "lower --shots or drop the user with --min-ratings 12"
    )
    assert refusal(TooFewRatings, {"bo": 13, "A17": 7, "cy": 11}, shots=(1, 10)) == (
        "user 'A17' has 7 ratings, but k=10 support + 2 query need 12 (so has 1 more user); "
        "lower --shots or drop the user with --min-ratings 12"
    )
    assert refusal(TooFewRatings, {"bo": 9, "A17": 7, "cy": 11}, shots=(10,), min_query=5) == (
        "user 'bo' has 9 ratings, but k=10 support + 5 query need 15 (so have 2 more users); "
        "lower --shots or drop the user with --min-ratings 15"
    )


def test_just_enough_ratings_are_enough():
    assert [len(e.query) for e in plan_for({"ana": 12}, shots=(3, 10), repeats=1).episodes] == [9, 2]


def test_skipped_users_are_counted_and_out_at_every_k():
    counted = {"bo": 12, "A17": 7, "cy": 11}
    plan = plan_for(counted, shots=(1, 10), skip=True)
    assert {e.user for e in plan.episodes} == {"bo"}
    assert plan.skipped == {
        "A17": "user 'A17' has 7 ratings, but k=10 support + 2 query need 12",
        "cy": "user 'cy' has 11 ratings, but k=10 support + 2 query need 12",
    }
    assert images(ratings_of(counted), plan) == images(
        ratings_of({"bo": 12}), plan_for({"bo": 12}, shots=(1, 10))
    )


def test_only_the_users_asked_for_are_drawn_once_in_their_order():
    plan = plan_for({"ana": 8, "bo": 8, "cy": 1}, users=iter(["bo", "ana", "bo"]), repeats=1, shots=(2,))
    assert [e.user for e in plan.episodes] == ["bo", "ana"]


def test_an_unknown_user_is_named_with_similar_ones():
    assert refusal(RatingsError, {"anna": 8}, users=["ana"], skip=True) == (
        "the ratings has no ratings by 'ana' among its 1 user; did you mean 'anna'?"
    )


@pytest.mark.parametrize("shots", [[], [0, 10], [5, 5], [-1]])
def test_impossible_shots(shots):
    assert refusal(PiaaError, {"ana": 14}, shots=shots) == (
        f"the shots are {shots}, expected one or more different whole numbers from 1; "
        "give them as --shots 10,100"
    )


def test_impossible_numbers():
    assert refusal(PiaaError, {"ana": 14}, repeats=0) == (
        "repeats is 0, expected a whole number from 1; give such a number"
    )
    assert refusal(PiaaError, {"ana": 14}, min_query=0) == (
        "min_query is 0, expected a whole number from 1; give such a number"
    )
    assert refusal(PiaaError, {"ana": 14}, query="all") == (
        "the query is 'all', expected 'rest' or 'common'; name one of the two"
    )


def test_every_rating_is_as_likely_to_be_drawn():
    plan = plan_for({f"u{number}": 6 for number in range(200)}, shots=(2,), repeats=10)
    drawn = np.bincount(np.concatenate([e.support for e in plan.episodes]), minlength=6)
    # 4,000 draws, 667 expected each, standard deviation 21.
    assert drawn.sum() == 4000
    assert np.abs(drawn - 4000 / 6).max() < 85
