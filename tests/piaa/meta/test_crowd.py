"""The crowd of a training user: everybody but herself, as far as they can be trusted."""

from __future__ import annotations

import numpy as np
import pytest

from piaa.meta.crowd import Crowd
from piaa.meta.episodes import Rater

N = 400


def people(per_photo, *, common, own, n_raters=40, seed=0):
    """Raters who share what the generic model gets wrong, and have no taste."""
    rng = np.random.default_rng(seed)
    wrong = rng.normal(0, common, N)
    rated = [[] for _ in range(n_raters)]
    for photo in range(N):
        for rater in rng.choice(n_raters, per_photo, replace=False):
            rated[rater].append(photo)
    return [
        Rater(name=f"u{number}", rows=np.array(rows), targets=wrong[rows] + rng.normal(0, own, len(rows)))
        for number, rows in enumerate(rated)
    ]


def test_it_is_the_best_linear_prediction_from_the_others():
    """With as many photos the moments are near the truth, and the gain is that of a Gaussian conditioned."""
    raters = people(6, common=0.1, own=0.2)
    crowd, me = Crowd(N, raters), raters[3]
    others = [[] for _ in range(N)]
    for rater in raters:
        for row, target in zip(rater.rows, rater.targets, strict=True):
            if rater is not me:
                others[row].append(target)
    wanted = []
    for row in me.rows:
        seen = np.array(others[row])
        covariance = 0.1**2 * np.ones((len(seen), len(seen))) + 0.2**2 * np.eye(len(seen))
        wanted.append(np.full(len(seen), 0.1**2) @ np.linalg.solve(covariance, seen))
    found = crowd.without(me.rows, me.targets)
    assert np.corrcoef(found, wanted)[0, 1] > 1 - 1e-9
    np.testing.assert_allclose(found, wanted, rtol=0.2)


def test_what_a_user_says_is_not_in_her_own_crowd():
    raters = people(3, common=0.1, own=0.2)
    me = raters[0]
    before = Crowd(N, raters).without(me.rows, me.targets)
    swapped = Rater(name=me.name, rows=me.rows, targets=me.targets[::-1].copy())
    after = Crowd(N, [swapped, *raters[1:]]).without(swapped.rows, swapped.targets)
    # Only the two variances over all 1,200 ratings have seen it, which are a factor.
    ratio = after / before
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-9)
    assert 0.8 < ratio[0] < 1


@pytest.mark.parametrize("per_photo", [1, 2, 5, 20])
def test_without_a_taste_there_is_nothing_to_learn_from_the_crowd(per_photo):
    """What is left of a rating has no slope on the crowd: agreeing with oneself would give a large one."""
    raters, slopes = people(per_photo, common=0.1, own=0.2, seed=per_photo), []
    crowd = Crowd(N, raters)
    shifts = [crowd.without(rater.rows, rater.targets) for rater in raters]
    shift, left = np.concatenate(shifts), np.concatenate([r.targets for r in raters]) - np.concatenate(shifts)
    if per_photo == 1:
        assert (shift == 0).all()
        return
    for part in np.array_split(np.random.default_rng(0).permutation(len(shift)), 5):
        slopes.append(np.cov(shift[part], left[part])[0, 1] / np.var(shift[part]))
    assert abs(np.mean(slopes)) < max(3 * np.std(slopes, ddof=1) / np.sqrt(5), 0.1)


def test_where_raters_have_nothing_in_common_the_generic_score_stands():
    raters = people(5, common=0.0, own=0.2)
    crowd = Crowd(N, raters)
    assert max(np.abs(crowd.without(rater.rows, rater.targets)).max() for rater in raters) < 0.03


def test_raters_who_agree_to_the_last_digit_are_believed():
    raters = people(3, common=0.1, own=0.0)
    crowd = Crowd(N, raters)
    np.testing.assert_allclose(crowd.without(raters[0].rows, raters[0].targets), raters[0].targets, rtol=1e-6)
