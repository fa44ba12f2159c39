"""The prior over people: learned back from simulated people, and against dense formulas."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import scipy.stats
from safetensors.numpy import load, save

from generic.errors import CheckpointError
from piaa.adapters.prior import STRANGERS, TASTES, Prior, learn_prior, log_evidence

MEAN = np.array([0.55, 0.10, 0.0, 0.0])
COVARIANCE = np.array(
    [
        [0.0100, 0.0020, 0.0000, 0.0000],
        [0.0020, 0.0040, 0.0000, -0.0010],
        [0.0000, 0.0000, 0.0060, 0.0030],
        [0.0000, -0.0010, 0.0030, 0.0050],
    ]
)
TAIL = 0.001
"""Variance of what people think of each of three further directions, about which nobody agrees."""
N_USERS, N_RATED = 300, 40


def prior(**changes) -> Prior:
    values = {
        "mean": MEAN,
        "covariance": COVARIANCE,
        "noise": np.array([0.005, 0.01, 0.03]),
        "log_weights": np.full((len(TASTES), 3), -np.log(3 * len(TASTES))),
        "center": 0.5,
        "spread": 0.1,
        "residual": 0.2,
        **changes,
    }
    return Prior(**values)


def learn(people, **options):
    """The prior from each person's (features, scores); the generic model scores the photos like the crowd."""
    features = np.concatenate([mine for mine, _ in people])
    ends = np.cumsum([len(mine) for mine, _ in people])
    rows = [
        (np.arange(end - len(mine), end), scores) for end, (mine, scores) in zip(ends, people, strict=True)
    ]
    return learn_prior(features, features[:, 0], rows, **options)


def simulate(noise, seed=0):
    """People of MEAN, COVARIANCE and TAIL, each with the noise variance of her place in ``noise``."""
    rng = np.random.default_rng(seed)
    generic = rng.standard_normal(N_USERS * N_RATED)
    generic = 0.5 + 0.1 * (generic - generic.mean()) / generic.std()
    people, tastes = [], rng.multivariate_normal(MEAN, COVARIANCE, N_USERS)
    tastes = np.column_stack((tastes, np.sqrt(TAIL) * rng.standard_normal((N_USERS, 3))))
    for w, variance, mine in zip(tastes, noise, generic.reshape(N_USERS, N_RATED), strict=True):
        features = np.column_stack((mine, rng.standard_normal((N_RATED, 5))))
        basis = np.column_stack((np.ones(N_RATED), (mine - 0.5) / 0.1, features[:, 1:]))
        people.append((features, basis @ w + np.sqrt(variance) * rng.standard_normal(N_RATED)))
    return people, tastes


@pytest.fixture(scope="module")
def people():
    """The first half rates with noise variance 0.01, the second with 0.06."""
    return simulate(np.repeat([0.01, 0.06], N_USERS // 2))


@pytest.fixture(scope="module")
def learned(people):
    return learn(people[0], n_joint=2)


def test_it_learns_back_the_people_it_was_shown(people, learned):
    tastes = people[1]
    assert learned.n_directions == 5
    joint, tail = slice(0, 4), slice(4, 7)
    # What 300 people can tell: their own mean and covariance, the error of 40 ratings aside.
    np.testing.assert_allclose(learned.mean[:2], tastes[:, :2].mean(0), rtol=0, atol=0.006)
    np.testing.assert_allclose(
        learned.covariance[joint, joint], np.cov(tastes[:, joint].T), rtol=0, atol=0.0008
    )
    # And the truth behind them, within four standard errors.
    np.testing.assert_allclose(learned.mean[:2], MEAN[:2], rtol=0, atol=0.025)
    np.testing.assert_allclose(learned.covariance[joint, joint], COVARIANCE, rtol=0, atol=0.0036)
    # Of the further directions it learns one variance and nothing else.
    assert learned.mean[2:].tolist() == [0, 0, 0, 0, 0]
    assert learned.covariance[4, 4] == pytest.approx(TAIL, rel=0.2)
    assert np.array_equal(learned.covariance[tail, tail], learned.covariance[4, 4] * np.eye(3))
    assert not learned.covariance[joint, tail].any()
    assert not learned.covariance[tail, joint].any()


def test_all_directions_may_share_a_covariance(people):
    few = people[0][:60]
    whole = learn(few, n_joint=5, rounds=3)
    assert whole.covariance.shape == (7, 7)
    assert (np.abs(whole.covariance) > 0).all()
    assert (whole.mean[:2] != 0).all()


def test_an_error_of_the_generic_model_is_no_taste_but_noise():
    """The generic model misses what everybody likes in direction 0; these people agree on everything."""
    rng = np.random.default_rng(7)
    features = rng.standard_normal((60, 4))
    features[:, 0] = 0.5 + 0.05 * features[:, 0]
    crowd = features[:, 0] + 0.1 * features[:, 1]
    people = [(np.arange(60), crowd + 0.05 * rng.standard_normal(60)) for _ in range(40)]
    prior = learn_prior(features, crowd, people, n_joint=3)
    assert prior.mean[2:].tolist() == [0, 0, 0]
    assert prior.covariance[2, 2] < 1e-4  # around the generic score it would be 0.1 ** 2
    error = np.mean((crowd - features[:, 0]) ** 2)
    # The two imaginary noisy ratings of every user lift it a little.
    assert np.median(prior.noise) == pytest.approx(error + 0.05**2, rel=0.15)
    assert prior.residual == pytest.approx(np.sqrt(error + 0.05**2), rel=0.05)


def test_it_learns_how_noisily_people_rate(learned):
    weights = np.exp(learned.log_weights)
    assert weights.shape == (len(TASTES), 7)
    assert weights.sum() == pytest.approx(1)
    assert (np.diff(learned.noise) > 0).all()
    assert 0.005 < learned.noise[0] < 0.015
    assert 0.05 < learned.noise[-1] < 0.12
    quiet = learned.noise < np.sqrt(0.01 * 0.06)
    assert weights[:, quiet].sum() == pytest.approx(0.5, abs=0.05)
    assert weights.sum(0) @ learned.noise == pytest.approx(0.035, rel=0.1)


def known(prior):
    """The weight of each taste among the people shown, without the share kept for strangers."""
    weights = np.exp(prior.log_weights).sum(1)
    assert weights.sum() == pytest.approx(1)
    return (weights - STRANGERS / len(TASTES)) / (1 - STRANGERS)


def test_it_learns_that_these_people_differ_as_much_as_their_covariance_says(learned):
    weights = known(learned)
    assert weights @ np.array(TASTES) == pytest.approx(1, abs=0.15)


def test_it_keeps_a_share_for_strangers(learned):
    weights = np.exp(learned.log_weights)
    assert (weights >= STRANGERS / len(TASTES) * weights.sum(0) * (1 - 1e-12)).all()


def test_it_learns_that_tastes_differ_in_strength():
    """Half of the people follow the crowd in everything, the others do not at all."""
    people, tastes = simulate(np.full(N_USERS, 0.01))
    crowd = tastes[: N_USERS // 2]
    mixed = []
    for number, (features, scores) in enumerate(people):
        if number < len(crowd):
            scores = scores - features[:, 1:] @ (crowd[number, 2:] - [*MEAN[2:], 0, 0, 0])
        mixed.append((features, scores))
    weights = known(learn(mixed, n_joint=2))
    # Near the crowd or further from it than people are on average, nobody in between.
    assert weights[0] == pytest.approx(0.5, abs=0.15)
    assert weights[3:].sum() == pytest.approx(0.5, abs=0.15)
    assert weights[1:3].sum() < 0.05


def test_it_standardises_the_generic_score_and_measures_its_error(people, learned):
    generic = np.concatenate([features[:, 0] for features, _ in people[0]])
    scores = np.concatenate([scores for _, scores in people[0]])
    assert learned.center == pytest.approx(generic.mean(), abs=1e-12)
    assert learned.spread == pytest.approx(generic.std(), abs=1e-12)
    assert learned.residual == pytest.approx(np.sqrt(np.mean((scores - generic) ** 2)), abs=1e-12)


def test_neither_the_order_of_people_nor_of_their_ratings_matters(people):
    few = people[0][:20]
    other = [(features[::-1], scores[::-1]) for features, scores in reversed(few)]
    one, two = (learn(group, n_joint=2, rounds=5).tensors() for group in (few, other))
    for key in one:
        np.testing.assert_allclose(two[key], one[key], rtol=1e-7, atol=1e-10)


def test_log_evidence_is_that_of_the_joint_normal_of_the_ratings():
    rng = np.random.default_rng(0)
    basis, scores = rng.standard_normal((9, 4)), rng.random(9)
    got = log_evidence(basis, scores, prior())
    factors = np.array([[1, 1, np.sqrt(taste), np.sqrt(taste)] for taste in TASTES])
    expected = [
        [
            scipy.stats.multivariate_normal.logpdf(
                scores,
                basis @ MEAN,
                basis @ np.diag(f) @ COVARIANCE @ np.diag(f) @ basis.T + noise * np.eye(9),
            )
            for noise in (0.005, 0.01, 0.03)
        ]
        for f in factors
    ]
    np.testing.assert_allclose(got, expected, rtol=1e-10)


def test_taste_leaves_level_and_spread_alone_and_scales_the_rest():
    covariances = prior().covariances()
    assert covariances.shape == (len(TASTES), 4, 4)
    for taste, covariance in zip(TASTES, covariances, strict=True):
        np.testing.assert_allclose(covariance[:2, :2], COVARIANCE[:2, :2], rtol=1e-15)
        np.testing.assert_allclose(covariance[2:, 2:], taste * COVARIANCE[2:, 2:], rtol=1e-15)
        np.testing.assert_allclose(covariance[:2, 2:], np.sqrt(taste) * COVARIANCE[:2, 2:], rtol=1e-15)
        assert np.linalg.eigvalsh(covariance).min() > 0


def test_the_basis_is_level_generic_score_and_leading_directions():
    features = np.array([[0.7, 1, 2, 3], [0.4, 4, 5, 6]], np.float32)
    basis = prior().basis(features)
    assert basis.dtype == np.float64
    np.testing.assert_allclose(basis, [[1, 2, 1, 2], [1, -1, 4, 5]], rtol=1e-6)


def test_tensors_round_trip_through_a_file():
    one = prior()
    two = Prior.from_tensors(load(save(one.tensors())))
    for field in dataclasses.fields(Prior):
        assert np.array_equal(getattr(two, field.name), getattr(one, field.name)), field.name
        assert type(getattr(two, field.name)) is type(getattr(one, field.name))


def test_a_model_without_a_prior_has_none():
    assert Prior.from_tensors({}) is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"mean": None}, "KeyError('mean')"),
        ({"log_weights": None}, "KeyError('log_weights')"),
        ({"scalars": None}, "KeyError('scalars')"),
        ({"scalars": np.zeros(2)}, "ValueError('not enough values to unpack (expected 3, got 2)')"),
        ({"covariance": np.eye(3)}, "ValueError('covariance of shape (3, 3), expected (4, 4)')"),
        (
            {"noise": np.ones(4)},
            f"ValueError('log_weights of shape ({len(TASTES)}, 3), expected ({len(TASTES)}, 4)')",
        ),
    ],
)
def test_a_prior_that_cannot_be_understood(change, reason):
    tensors = {key: value for key, value in {**prior().tensors(), **change}.items() if value is not None}
    with pytest.raises(CheckpointError) as caught:
        Prior.from_tensors(tensors)
    assert (
        str(caught.value) == f"the model file's prior cannot be understood ({reason}); train the model again"
    )
