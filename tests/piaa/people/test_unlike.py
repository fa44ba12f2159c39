"""Photos unlike those of training are told from others by where they lie together."""

from __future__ import annotations

import numpy as np
import pytest

import piaa
from piaa.adapters.registry import make_adapter
from piaa.people.unlike import describe_unlike, unlikeness

PRIOR = piaa.load_model(cache=False).prior


def photos(k, aside=0.0, seed=0):
    rng = np.random.default_rng(seed)
    x = 0.7 * rng.standard_normal((k, 1 + PRIOR.n_directions))
    x[:, 1:] += aside * np.sign(np.random.default_rng(1).standard_normal(PRIOR.n_directions))
    return np.column_stack((rng.uniform(0.3, 0.7, k), x[:, 1:]))


@pytest.mark.parametrize("k", [10, 30, 100])
def test_photos_around_the_centre_have_a_ratio_of_one(k):
    found = [unlikeness(photos(k, seed=seed), PRIOR) for seed in range(50)]
    assert np.mean(found) == pytest.approx(1, abs=0.05)
    assert max(found) < 1.5


def test_a_person_is_told_when_they_lie_aside():
    x = photos(20, aside=0.2)
    adapter = make_adapter("auto", PRIOR).fit(x, x[:, 0])
    assert describe_unlike(adapter, PRIOR) == (
        f"these 20 photos are unlike those that the model was trained on (distance "
        f"{unlikeness(x, PRIOR):.1f}, usual 1.0, limit 1.5): it ranks them less well, and more ratings than "
        "usual are needed"
    )
    assert unlikeness(x, PRIOR) > 1.6


def test_nothing_is_said_of_usual_photos_of_few_and_without_a_prior():
    for x in (photos(20), photos(9, aside=1.0)):
        assert describe_unlike(make_adapter("auto", PRIOR).fit(x, x[:, 0]), PRIOR) == ""
    x = photos(20, aside=1.0)
    assert describe_unlike(make_adapter("auto", None).fit(x, x[:, 0]), None) == ""
