"""Suggestions against brute force, and against what random ratings teach."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from generic.errors import CheckpointError, PiaaError, ShapeError
from generic.metrics import spearman
from piaa.adapters.bayes import BayesAdapter
from piaa.adapters.compared import Compared
from piaa.adapters.preference import log_likelihood
from piaa.adapters.prior import TASTES, Prior
from piaa.people.asking import BOTH, COMPARISONS, Seconds
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


def pair_by_brute_force(prior, known, album):
    """The pair whose answer is expected to narrow most, each by both answers she may give."""
    covariance, noise = known["covariance"], np.array([[float(known["noise"])]])
    basis, best = prior.basis(album), (np.inf, None)
    for one in range(len(album)):
        for other in range(one):
            gap = basis[one] - basis[other]
            mean, variance = gap @ known["mean"], gap @ covariance @ gap
            worth = 0.0
            for way in (1, -1):
                log, _, curve = log_likelihood(
                    np.array([[way * mean]]), np.array([[variance]]), noise, np.array([False])
                )
                worth += float(np.exp(log[0, 0]) * curve[0, 0])
            reach = covariance @ gap
            left = uncertainty(prior, covariance - worth * np.outer(reach, reach), album)
            best = min(best, (left, {one, other}), key=lambda found: found[0])
    return best


def test_a_pair_is_the_best_of_all_pairs(prior):
    x = photos(5, 7)
    compared = Compared.preferring(photos(2, 8), photos(2, 9))
    known, album = knowledge(prior, (x, np.linspace(0.3, 0.7, 5)), compared), photos(20, 1)
    (found,) = suggest(prior, known, album, 1, seconds=COMPARISONS)
    after, pair = pair_by_brute_force(prior, known, album)
    assert {found.row, found.other} == pair
    assert found.after == pytest.approx(after, rel=1e-9)


def test_seconds_decide_which_kind_is_asked(prior):
    known, album = knowledge(prior, None), photos(40, 1)
    kinds = {
        cost: {one.other is None for one in suggest(prior, known, album, 6, seconds=Seconds(comparison=cost))}
        for cost in (0.01, 500.0)
    }
    assert kinds == {0.01: {False}, 500.0: {True}}


def test_no_burst_is_asked_about_twice_nor_within_a_pair(prior):
    album, scenes = photos(30, 1), np.arange(30) // 3
    picks = suggest(prior, knowledge(prior, None), album, 50, bursts=scenes, seconds=BOTH)
    asked = [scenes[row] for one in picks for row in (one.row, one.other) if row is not None]
    assert len(asked) == len(set(asked)) == 10
    with pytest.raises(PiaaError) as caught:
        suggest(prior, knowledge(prior, None), album[:3], 1, bursts=scenes[:3], seconds=COMPARISONS)
    assert str(caught.value) == "there are no two photos to compare; name a folder with more photos"


def test_of_many_photos_the_most_instructive_are_looked_at(prior, monkeypatch):
    album, known = photos(300, 3), knowledge(prior, None)
    whole = suggest(prior, known, album, 3)
    monkeypatch.setattr("piaa.people.suggest._LOOKED_AT", 60)
    some = suggest(prior, known, album, 3)
    assert some[0].row == whole[0].row
    assert some[-1].after < 1.05 * whole[-1].after
    scenes = np.arange(300) // 30
    picks = suggest(prior, known, album, 50, bursts=scenes)
    assert sorted(scenes[one.row] for one in picks) == list(range(10))


def test_the_gain_is_that_of_people_drawn_from_the_prior(prior):
    """Expected before the answers, against what 15 answers do for the ranking of an album."""
    taste = np.log(np.array([[1e-9] * 2] * 2 + [[0.5] * 2] + [[1e-9] * 2] * 3))
    small = replace(prior, log_weights=taste)
    known, told, found = knowledge(small, None), [], []
    for person in range(40):
        rng, album = np.random.default_rng(person), photos(150, person)
        basis, noise = small.basis(album), small.noise[person % 2]
        truth = basis @ rng.multivariate_normal(small.mean, small.covariance)
        rated = truth + np.sqrt(noise) * rng.standard_normal(150)
        picks = suggest(small, known, album, 15)
        told.append(sum(one.gain for one in picks))
        rows = [one.row for one in picks]
        rest = np.setdiff1d(np.arange(150), rows)
        score = BayesAdapter(small).fit(album[rows], rated[rows]).predict(album[rest]).score
        found.append(spearman(score, rated[rest]) - spearman(basis[rest] @ small.mean, rated[rest]))
    assert np.mean(told) == pytest.approx(np.mean(found), abs=3 * np.std(found) / np.sqrt(40))


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
