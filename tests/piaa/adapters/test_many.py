"""Many ratings, of which some stand for all, against dense Gaussian algebra of the same model."""

from __future__ import annotations

import itertools
import time
import tracemalloc

import numpy as np
import pytest
import scipy.stats

from generic.errors import StoreError, TooLarge
from generic.metrics import spearman
from piaa.adapters.auto import FREE, FREE_SIZES, SIZE_WEIGHTS, SIZES, STAND_INS, WIDTH, AutoAdapter
from piaa.adapters.linear_form import LinearForm
from piaa.adapters.linear_forms import LinearForms
from piaa.adapters.many import MOST, Summary, stand_ins
from piaa.adapters.neighbours import LEVEL, NOISES, SLOPE
from piaa.adapters.posterior import Mixture
from piaa.adapters.prior import STRANGERS, TASTES
from piaa.adapters.registry import ADAPTERS
from piaa.adapters.spread import TYPICAL, own_spread
from piaa.adapters.strangers import with_strangers
from piaa.adapters.vectors import canonical_order

FEW, K = 12, 40


def photos(n, seed=0, d=6):
    rng = np.random.default_rng(seed)
    return np.column_stack((rng.normal(0.5, 0.1, n), rng.standard_normal((n, d))))


def ratings(x, seed=2, noise=0.05):
    rng = np.random.default_rng(seed)
    taste = 0.06 * x[:, 1] + 0.05 * np.cos(2 * x[:, 2])
    return np.clip(x[:, 0] + taste + noise * rng.standard_normal(len(x)), 0, 1)


@pytest.fixture
def few(monkeypatch):
    """So few ratings are many."""
    monkeypatch.setattr(AutoAdapter, "exact", FEW)


def farthest(z):
    """Rows of the stand-ins: the photo in the middle, then each time the one farthest from all before."""
    rows = [int(np.argmin(np.linalg.norm(z - z.mean(axis=0), axis=1)))]
    while len(rows) < FEW:
        rows.append(int(np.argmax(np.linalg.norm(z[:, None] - z[rows], axis=2).min(axis=1))))
    return rows


def rbf(a, b, width):
    return np.exp(-((a[:, None] - b[None]) ** 2).sum(axis=2) / (2 * width**2))


def dense(y, line, ends, cells):
    """Mean, variance and log evidence: every cell a Gaussian process over all ratings, its n x n inverted.

    ``ends`` are basis of ratings and of new photos; a cell is (weight, covariance of the weights, functions,
    noise, whether it has a say in the mean), a function (size, kernel(a, b), own(a)) of places ``line``.
    """
    (a, b), (z, new, chosen), found = ends, line, []
    for weight, covariance, functions, noise, heard, center in cells:
        k = a @ covariance @ a.T + noise * np.eye(len(y))
        cross, own = b @ covariance @ a.T, np.einsum("np,pq,nq->n", b, covariance, b)
        for size, kernel, variance in functions:
            inverse = np.linalg.pinv(kernel(chosen, chosen), rcond=1e-10, hermitian=True)
            seen = kernel(z, chosen) @ inverse @ kernel(chosen, z)
            k += size * seen + size * np.mean(variance(z) - np.diag(seen)) * np.eye(len(y))
            cross = cross + size * kernel(new, chosen) @ inverse @ kernel(chosen, z)
            own = own + size * variance(new)
        gain = cross @ np.linalg.inv(k)
        log = scipy.stats.multivariate_normal.logpdf(y, a @ center, k) + np.log(weight)
        found.append((log, heard, b @ center + gain @ (y - a @ center), own - (gain * cross).sum(1) + noise))
    logs, heard, means, variances = map(np.array, zip(*found, strict=True))
    w = np.exp(logs - logs.max())
    mean = (w * heard) @ means / (w * heard).sum()
    w /= w.sum()
    return mean, w @ (variances + (means - mean) ** 2), np.logaddexp.reduce(logs)


def one(n):
    return np.ones(len(n))


def with_prior(prior, x, y, new):
    """The cells of ``auto`` with a prior, written out."""
    p = len(prior.mean)
    values, directions = np.linalg.eigh(prior.covariance[2:, 2:])
    reach = directions * np.sqrt(values) / np.sqrt(2 * values.sum())
    noises, logs = with_strangers(prior.noise, prior.log_weights)
    weights, unit = np.exp(logs), own_spread(prior) ** 2
    crowd = np.zeros((p, p))
    crowd[:2, :2] = prior.covariance[:2, :2]
    smooth = list(zip(SIZES, SIZE_WEIGHTS, strict=True))
    kinds = [(crowd, (1 - FREE) * STRANGERS * weights.sum(axis=0), smooth)]
    for taste, row in zip(TASTES, weights, strict=True):
        factor = np.sqrt(np.array([1, 1] + [taste] * (p - 2)))
        kinds.append(
            (prior.covariance * np.outer(factor, factor), (1 - FREE) * (1 - STRANGERS) * row, smooth)
        )
    for size in FREE_SIZES:
        alike = crowd + np.diag([0, 0] + [size * unit / (p - 2)] * (p - 2))
        kinds.append((alike, FREE / len(FREE_SIZES) * weights.sum(axis=0), [(0, 1)]))
    cells = [
        (
            row[at] * share,
            covariance,
            [(size * unit, lambda a, b: rbf(a, b, 1.0), one)],
            noises[at],
            at < len(prior.noise),
            prior.mean,
        )
        for covariance, row, sizes in kinds
        for (size, share), at in itertools.product(sizes, range(len(noises)))
    ]
    z = x[:, 1 : p - 1] @ reach
    places = (z, new[:, 1 : p - 1] @ reach, z[farthest(z)])
    return dense(y, places, (prior.basis(x), prior.basis(new)), cells)


def without_prior(x, y, new):
    """Likewise without one; of the widths that of the highest evidence."""
    z, there = (rows[:, 1:] / np.sqrt(2 * (rows.shape[1] - 1)) for rows in (x, new))
    chosen = z[farthest(z)]
    center = chosen.mean(axis=0)
    length = np.sqrt(2 * ((chosen - center) ** 2).sum() / (len(chosen) - 1))
    noises, logs = with_strangers(TYPICAL**2 * np.array(NOISES), np.full(4, -np.log(4)))
    line, unit = np.diag([LEVEL**2, SLOPE**2]), TYPICAL**2
    ends = tuple(np.column_stack((np.ones(len(rows)), rows[:, 0] - 0.5)) for rows in (x, new))

    def cells(functions):
        return [
            (share * np.exp(logs[at]), line, some, noises[at], at < 4, np.array([0.5, 1.0]))
            for (share, some), at in itertools.product(functions, range(6))
        ]

    def smooth(width):
        return [(1 / 9, [(size * unit, lambda a, b: rbf(a, b, width * length), one)]) for size in FREE_SIZES]

    def linear(a, b):
        return 2 / length**2 * (a - center) @ (b - center).T

    best = max((0.5, 1.0, 2.0), key=lambda width: dense(y, (z, there, chosen), ends, cells(smooth(width)))[2])
    lines = [
        (1 / 9, [(size * unit, linear, lambda a: 2 / length**2 * ((a - center) ** 2).sum(1))])
        for size in FREE_SIZES
    ]
    return dense(y, (z, there, chosen), ends, cells([(1 / 3, []), *smooth(best), *lines]))


@pytest.mark.parametrize("used", ["a prior", "none"])
def test_it_is_the_average_over_gaussian_processes_through_the_stand_ins(prior, few, used):
    x, new = photos(K), photos(60, 1)
    y = ratings(x)
    order = canonical_order(x, y)
    x, y = x[order], y[order]
    own = prior if used == "a prior" else None
    mean, variance, _ = with_prior(prior, x, y, new) if own else without_prior(x, y, new)
    inside = (mean > 0.1) & (mean < 0.9)  # where scores are not bent
    assert inside.sum() > 30
    got = AutoAdapter(own).fit(x, y).predict(new)
    low, high = scipy.stats.norm.interval(0.8, mean, np.sqrt(variance))
    np.testing.assert_allclose(got.score[inside], mean[inside], rtol=0, atol=1e-7)
    np.testing.assert_allclose(got.low[inside], np.maximum(low, 0)[inside], rtol=0, atol=2e-6)
    np.testing.assert_allclose(got.high[inside], np.minimum(high, 1)[inside], rtol=0, atol=2e-6)


def test_the_evidence_is_that_of_the_dense_model():
    x = photos(K)
    y, z, rows = ratings(x), x[:, 1:], np.arange(0, K, 3)
    basis = np.column_stack((np.ones(K), x[:, 0]))
    mixture = Mixture(
        mean=np.array([0.1, 0.8]),
        covariances=np.array([[[0.04, 0.01], [0.01, 0.09]]]),
        noise=np.array([0.01, 0.03]),
        log_weights=np.log([[[0.3, 0.7]]]),
        sizes=np.array([[0.05, 0.02]]),
    )
    kernels = [lambda a, b: rbf(a, b, 2.0), lambda a, b: a @ b.T / 6]
    functions = [lambda part, kernel=kernel: kernel(z[part], z[rows]) for kernel in kernels]
    own = np.column_stack((np.ones(K), (z**2).sum(axis=1) / 6))
    got = mixture.evidence_of(Summary.of(basis, y, rows, functions, own))
    both = [
        (0.05, kernels[0], one),
        (0.02, kernels[1], lambda a: (a**2).sum(axis=1) / 6),
    ]
    cells = [
        (weight, mixture.covariances[0], both, noise, True, mixture.mean)
        for weight, noise in ((0.3, 0.01), (0.7, 0.03))
    ]
    *_, wanted = dense(y, (z, z, z[rows]), (basis, basis), cells)
    assert got == pytest.approx(wanted, abs=1e-6)


def test_the_photos_that_stand_for_all_are_spread_and_never_twice_the_same():
    z = photos(K)[:, 1:]
    rows, squares = stand_ins(z, FEW)
    assert rows.tolist() == farthest(z)
    np.testing.assert_allclose(squares, ((z[:, None] - z[rows]) ** 2).sum(axis=2), rtol=0, atol=1e-12)
    copies = np.repeat(z[:3], 5, axis=0)
    assert sorted(stand_ins(copies, 15)[0].tolist()) == list(range(15))


@pytest.mark.parametrize("used", ["a prior", "none"])
def test_one_rating_beyond_the_most_changes_next_to_nothing(prior, used, monkeypatch):
    own, x = prior if used == "a prior" else None, photos(MOST + 1)
    y, new = ratings(x), photos(200, 1)
    got = AutoAdapter(own).fit(x, y)
    assert len(got.state()[STAND_INS]) == MOST
    monkeypatch.setattr(AutoAdapter, "exact", MOST + 1)
    exact = AutoAdapter(own).fit(x, y)
    assert STAND_INS not in exact.state()
    for name in ("score", "low", "high"):
        np.testing.assert_allclose(
            getattr(got.predict(new), name), getattr(exact.predict(new), name), rtol=0, atol=5e-3
        )


@pytest.mark.parametrize("used", ["a prior", "none"])
def test_neither_the_order_of_the_ratings_nor_what_is_scored_beside_makes_a_difference(prior, few, used):
    own, x = prior if used == "a prior" else None, photos(K)
    y, new = ratings(x), photos(30, 1)
    shuffled = np.random.default_rng(0).permutation(K)
    one, other = AutoAdapter(own).fit(x, y), AutoAdapter(own).fit(x[shuffled], y[shuffled])
    scores = one.predict(new).score
    np.testing.assert_array_equal(scores, other.predict(new).score)
    np.testing.assert_array_equal(scores[7:9], one.predict(new[7:9]).score)
    together = AutoAdapter(own).fit_many([x[::-1], x], [y[::-1], 1 - y])
    np.testing.assert_array_equal(scores, together[0].predict(new).score)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("used", ["a prior", "none"])
def test_it_is_restored_and_scored_in_linear_form_as_it_was_learned(prior, few, used, kind):
    own, x, new = prior if used == "a prior" else None, photos(K).astype(kind), photos(30, 1)
    fitted = AutoAdapter(own).fit(x, ratings(x))
    state = fitted.state()
    assert "rated" not in state
    assert len(state[STAND_INS]) == FEW
    assert (WIDTH in state) == (own is None)
    scores = fitted.predict(new).score
    np.testing.assert_array_equal(AutoAdapter(own).restore(state).predict(new).score, scores)
    form = LinearForm.unpack(fitted.linear_form().pack(), own, 6)
    np.testing.assert_allclose(LinearForms.of([form]).unit_scores(new, own)[0], scores, rtol=0, atol=1e-9)


def test_a_lost_vector_is_told(prior, few):
    state = AutoAdapter(prior).fit(photos(K), ratings(photos(K))).state()
    state["support.features"][3] = np.nan
    with pytest.raises(StoreError, match="learned with vectors of photos that are damaged in the store"):
        AutoAdapter(prior).restore(state)


def test_more_ratings_rank_better(prior):
    new = photos(500, 1)
    truth = ratings(new, noise=0)
    found = [
        spearman(AutoAdapter(prior).fit(photos(k), ratings(photos(k), noise=0.3)).predict(new).score, truth)
        for k in (300, 600, 3_000)
    ]
    assert found[0] < found[1] < found[2]


@pytest.mark.parametrize("used", ["a prior", "none"])
def test_ten_thousand_ratings_take_seconds_and_little_memory(prior, used):
    x = photos(10_000)
    y, adapter = ratings(x), AutoAdapter(prior if used == "a prior" else None)
    started = time.process_time()
    tracemalloc.start()
    try:
        adapter.fit(x, y)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 400 * 2**20  # one matrix of 10,000 x 10,000 has 763 MiB
    assert time.process_time() - started < 20


@pytest.mark.parametrize("name", ["neighbours", "pam", "pairs"])
def test_adapters_that_compare_all_with_all_refuse_too_many_before_they_start(prior, name):
    x = photos(10_000)
    with pytest.raises(TooLarge, match=rf"adapter '{name}' was given 10,000 ratings, but it takes at most"):
        ADAPTERS[name](prior).fit(x, x[:, 0])
    with pytest.raises(TooLarge):
        ADAPTERS[name](prior).fit_many([x], [x[:, 0]])
