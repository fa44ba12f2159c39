"""Directions of taste against planted ones and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA

from piaa.ratings.scale import Scale
from piaa.ratings.table import Ratings
from piaa.ratings.tastes import taste_directions


def study(n_users, photos, taste, seed, *, noise=0.01):
    """Each person: own level and slope on a common mean, a share of a taste, noise; everything rated."""
    rng = np.random.default_rng(seed)
    mean, share = rng.uniform(0.3, 0.7, len(photos)), rng.standard_normal(n_users)
    unit = rng.uniform(-0.1, 0.1, (n_users, 1)) + rng.uniform(0.5, 1.5, (n_users, 1)) * mean
    unit = unit + 0.05 * share[:, None] * taste + noise * rng.standard_normal(unit.shape)
    return [
        (f"{seed}-{user}", photo, unit[user, i]) for user in range(n_users) for i, photo in enumerate(photos)
    ]


def as_ratings(rows):
    users, images, scores = zip(*rows, strict=True)
    return Ratings(users=list(users), images=list(images), scores=np.array(scores), scale=Scale(-2, 3))


def test_a_planted_taste_is_found_whatever_the_levels_and_slopes():
    photos = [f"p{i}" for i in range(30)]
    taste = np.random.default_rng(5).standard_normal(30)
    found = taste_directions(as_ratings(study(40, photos, taste, 1)), photos, 2)
    assert found.shape == (30, 2)
    np.testing.assert_allclose((found**2).mean(0), 1)
    assert abs(np.corrcoef(found[:, 0], taste)[0, 1]) > 0.95


def test_photos_that_nobody_links_have_directions_of_their_own():
    first, second = [f"a{i}" for i in range(40)], [f"b{i}" for i in range(30)]
    tastes = np.random.default_rng(6).standard_normal(40), np.random.default_rng(7).standard_normal(30)
    rows = study(20, first, tastes[0], 1) + study(15, second, tastes[1], 2)
    photos = sorted(first + second, key=lambda name: name[::-1])  # mixed
    found = taste_directions(as_ratings(rows), photos, 1)
    assert found.shape == (70, 2)
    known = ~np.isnan(found)
    assert (known.sum(1) == 1).all()
    for names, taste in zip((first, second), tastes, strict=True):
        places = [photos.index(name) for name in names]
        (column,) = np.flatnonzero(known[places[0]])
        assert abs(np.corrcoef(found[places, column], taste)[0, 1]) > 0.9


def test_directions_equal_principal_components_when_everybody_rates_around_the_mean():
    """With slope one and level nought nothing is taken away but the mean of each photo."""
    photos = [f"p{i}" for i in range(8)]
    rng = np.random.default_rng(3)
    crowd = rng.uniform(0.3, 0.7, 8)
    apart = rng.standard_normal((12, 8)) * 0.02
    usual = crowd - crowd.mean()
    apart -= apart.mean(1, keepdims=True) + (apart @ usual)[:, None] * usual / (usual @ usual)
    apart -= apart.mean(0)
    rows = [(f"u{u}", photo, crowd[i] + apart[u, i]) for u in range(12) for i, photo in enumerate(photos)]
    ratings = Ratings(
        users=[r[0] for r in rows],
        images=[r[1] for r in rows],
        scores=np.array([r[2] for r in rows]),
        scale=Scale(0, 1),
    )
    found = taste_directions(ratings, photos, 3)
    components = PCA(3).fit(apart).components_.T * np.sqrt(8)
    np.testing.assert_allclose(np.abs(found), np.abs(components), atol=1e-6)


@pytest.mark.parametrize(("n_users", "expected"), [(2, 2), (1, 1)])
def test_fewer_people_give_fewer_directions(n_users, expected):
    photos = [f"p{i}" for i in range(5)]
    found = taste_directions(as_ratings(study(n_users, photos, np.zeros(5), 4)), photos, 6)
    assert found.shape == (5, expected)
