"""Suggestions against brute force, and against what random ratings teach."""

from __future__ import annotations

import numpy as np
import pytest

from generic.errors import CheckpointError, PiaaError, ShapeError
from piaa.adapters.bayes import BayesAdapter
from piaa.adapters.prior import TASTES, Prior
from piaa.people.suggest import knowledge, suggest


@pytest.fixture(scope="module")
def prior() -> Prior:
    rng = np.random.default_rng(4)
    root = rng.standard_normal((6, 6))
    return Prior(
        mean=np.concatenate(([0.5, 0.08], np.zeros(4))),
        covariance=0.002 * (np.eye(6) + root @ root.T / 6),
        noise=np.array([0.002, 0.008]),
        log_weights=np.log(np.full((len(TASTES), 2), 1 / (2 * len(TASTES)))),
        center=0.5,
        spread=0.1,
        residual=0.15,
    )


def photos(n, seed=0):
    rng = np.random.default_rng(seed)
    return np.column_stack((rng.normal(0.5, 0.1, n), rng.standard_normal((n, 5))))


def uncertainty(prior, covariance, album):
    """Standard deviation of the album's scores around their own mean, from the n x n covariance."""
    basis = prior.basis(album)
    apart = basis - basis.mean(axis=0)
    return np.sqrt(np.trace(apart @ covariance @ apart.T) / len(album))


def by_brute_force(prior, known, album, n):
    """Greedy picks, each by conditioning on every photo in turn, with dense matrices."""
    covariance, noise, picks = known["covariance"], float(known["noise"]), []
    basis = prior.basis(album)
    for _ in range(n):
        after = {}
        for row in set(range(len(album))) - {row for row, *_ in picks}:
            precision = np.linalg.inv(covariance) + np.outer(basis[row], basis[row]) / noise
            after[row] = np.linalg.inv(precision)
        best = min(after, key=lambda row: uncertainty(prior, after[row], album))
        picks.append((best, uncertainty(prior, covariance, album), uncertainty(prior, after[best], album)))
        covariance = after[best]
    return picks


@pytest.mark.parametrize("k", [0, 1, 8])
def test_each_pick_is_the_best_of_all_photos(prior, k):
    rated = photos(k, 7)
    support = (rated, np.clip(rated[:, 0] + 0.05 * rated[:, 1], 0, 1)) if k else None
    known, album = knowledge(prior, support), photos(25, 1)
    found = suggest(prior, known, album, 6)
    expected = by_brute_force(prior, known, album, 6)
    assert [one.row for one in found] == [row for row, *_ in expected]
    np.testing.assert_allclose([one.before for one in found], [b for _, b, _ in expected], rtol=1e-9)
    np.testing.assert_allclose([one.after for one in found], [a for *_, a in expected], rtol=1e-9)


def test_the_knowledge_is_that_of_the_bayes_adapter(prior):
    x = photos(6)
    y = np.linspace(0.2, 0.9, 6)
    fitted = BayesAdapter(prior).fit(x, y).state()
    for key in ("mean", "covariance", "noise"):
        assert np.array_equal(knowledge(prior, (x, y))[key], fitted[key])


def test_a_photo_like_one_that_was_picked_teaches_less_than_another(prior):
    """Twenty near copies of the most instructive photo: one of them is picked, then others."""
    album = photos(20, 2)
    first = suggest(prior, knowledge(prior, None), album, 1)[0].row
    copies = album[first] + 1e-3 * np.random.default_rng(0).standard_normal((20, 6))
    picks = suggest(prior, knowledge(prior, None), np.concatenate([album, copies]), 4)
    alike = [one.row for one in picks if one.row == first or one.row >= 20]
    assert len(alike) == 1


def test_only_candidates_are_picked_though_the_whole_album_counts(prior):
    album, known = photos(30, 3), knowledge(prior, None)
    candidates = [4, 9, 21]
    picks = suggest(prior, known, album, 10, candidates=candidates)
    assert sorted(one.row for one in picks) == candidates
    assert picks[0].before == pytest.approx(uncertainty(prior, known["covariance"], album), rel=1e-9)


def test_chunks_make_no_difference(prior, monkeypatch):
    album, known = photos(50, 3), knowledge(prior, None)
    whole = suggest(prior, known, album, 5)
    monkeypatch.setattr("piaa.people.suggest._CHUNK", 7)
    assert [one.row for one in suggest(prior, known, album, 5)] == [one.row for one in whole]


def test_what_cannot_be_suggested(prior):
    with pytest.raises(PiaaError) as caught:
        suggest(prior, knowledge(prior, None), photos(3), 2, candidates=[])
    assert (
        str(caught.value) == "there is no photo to suggest; name a folder with photos that are not rated yet"
    )
    with pytest.raises(CheckpointError) as caught:
        knowledge(None, None)
    assert str(caught.value) == (
        "`piaa suggest` needs to know how people differ, but the model file has no prior; use a model "
        "that has one, such as piaa-lite"
    )
    with pytest.raises(ShapeError) as caught:
        suggest(prior, knowledge(prior, None), photos(3)[:, :3], 2)
    assert str(caught.value) == (
        "features have 3 numbers a photo, but the prior of the model needs at least 5; "
        "give vectors of the model that the prior came with"
    )
