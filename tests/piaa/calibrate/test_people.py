"""The prior's weights of sizes and noises follow a group's people, as far as their number tells."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from piaa.adapters.prior import TASTES, Prior
from piaa.calibrate.people import SHIPPED, of_the_group
from piaa.calibrate.raters import Table

RNG = np.random.default_rng(3)
D, N = 6, 50
VECTORS = np.column_stack([RNG.normal(0.6, 0.1, N), RNG.normal(size=(N, D))])


def prior():
    """Of three noises, small tastes and all pairs alike likely."""
    return Prior(
        mean=np.concatenate([[0.6, 0.1], np.zeros(D)]),
        covariance=np.diag([0.01, 0.002, *[0.002] * D]),
        noise=np.array([0.01, 0.03, 0.09]),
        log_weights=np.full((len(TASTES), 3), -np.log(3 * len(TASTES))),
        center=0.6,
        spread=0.1,
        residual=0.2,
    )


def group(people, taste, noise, k=30):
    """People whose tastes are ``taste`` times as far from the crowd's, in variance."""
    known = prior()
    covariance = known.covariances()[TASTES.index(taste)]
    rows = np.concatenate([RNG.permutation(N)[:k] for _ in range(people)])
    weights = RNG.multivariate_normal(known.mean, covariance, people)
    scores = np.concatenate(
        [
            known.basis(VECTORS[rows[k * one : k * (one + 1)]]) @ weights[one]
            + np.sqrt(noise) * RNG.normal(size=k)
            for one in range(people)
        ]
    )
    return Table(
        rows=rows, people=np.repeat(np.arange(people), k), scores=scores, n_photos=N, n_people=people
    )


@pytest.mark.parametrize(("taste", "noise"), [(0.25, 0.01), (8.0, 0.09)])
def test_many_people_of_one_kind_have_the_most_weight(taste, noise):
    found = np.exp(of_the_group(prior(), VECTORS, group(80, taste, noise)).log_weights)
    assert found.sum() == pytest.approx(1)
    assert found[:, list(prior().noise).index(noise)].sum() > 0.7
    sizes = found.sum(axis=1)
    far = sizes[TASTES.index(4.0) :].sum()
    assert far > 0.6 if taste > 1 else far < 0.15


def test_one_person_counts_as_one_beside_those_of_before():
    """By the density of her ratings, reckoned another way, and the fixed point that is looked for."""
    table, known = group(1, 2.0, 0.03), prior()
    found = np.exp(of_the_group(known, VECTORS, table).log_weights)
    basis = known.basis(VECTORS[table.rows])
    density = np.array(
        [
            [
                multivariate_normal(basis @ known.mean, basis @ c @ basis.T + v * np.eye(30)).pdf(
                    table.scores
                )
                for v in known.noise
            ]
            for c in known.covariances()
        ]
    )
    share = density * found / (density * found).sum()
    before = np.exp(known.log_weights)
    np.testing.assert_allclose(found, (share + SHIPPED * before) / (1 + SHIPPED), atol=1e-6)
    assert abs(found - before).sum() <= 2 / (1 + SHIPPED)


def test_nothing_else_changes_and_who_rated_little_is_not_asked():
    known = prior()
    found = of_the_group(known, VECTORS, group(5, 1.0, 0.03))
    for name in ("mean", "covariance", "noise"):
        np.testing.assert_array_equal(getattr(found, name), getattr(known, name))
    assert of_the_group(known, VECTORS, group(5, 1.0, 0.03, k=9)) is known
