"""A gain is told where it is more than chance over people and photos."""

import numpy as np
import pytest
from scipy.stats import t

from piaa.calibrate.gate import judge


def test_by_hand():
    rng = np.random.default_rng(0)
    gains = rng.normal(0.1, 0.2, (7, 9))
    found = judge(gains)
    people, photos = gains.mean(axis=1).var(ddof=1) / 7, gains.mean(axis=0).var(ddof=1) / 9
    free = (people + photos) ** 2 / (people**2 / 6 + photos**2 / 8)
    reach = np.sqrt(people + photos) * t.ppf(0.975, free)
    expected = (gains.mean(), gains.mean() - reach, gains.mean() + reach)
    assert (found.gain, found.low, found.high) == pytest.approx(expected)
    assert (found.people, found.photos) == (7, 9)


def test_few_people_or_photos_tell_nothing():
    assert np.isnan(judge(np.full((5, 40), 0.3)).gain)
    few = np.full((9, 40), np.nan)
    few[:, 2:7] = 0.3
    assert not judge(few).opens
    assert not judge(np.zeros((0, 5))).opens


def test_people_who_share_their_photos_are_not_as_many_witnesses():
    """A gain of photos that all share is chance of the photos, however many people there are."""
    rng = np.random.default_rng(0)
    opened = sum(judge(rng.normal(0, 0.1, 10) + rng.normal(0, 0.05, (200, 10))).opens for _ in range(400))
    assert opened / 400 <= 0.04
