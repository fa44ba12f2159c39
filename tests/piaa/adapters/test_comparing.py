"""Ratings and comparisons together: any order, added and withdrawn, kept in a state; and what they teach."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load, save

from generic.errors import ShapeError, StoreError, TooFewRatings
from generic.metrics import spearman
from piaa.adapters.auto import AutoAdapter
from piaa.adapters.bayes import BayesAdapter
from piaa.adapters.compared import Compared
from piaa.adapters.linear_form import LinearForm
from piaa.adapters.linear_forms import LinearForms
from piaa.adapters.pairs import PairsAdapter
from piaa.adapters.ridge import RidgeAdapter

FIELDS = ("score", "low", "high")


def photos(n, seed=0, dtype=np.float32):
    rng = np.random.default_rng(seed)
    return np.column_stack((rng.normal(0.5, 0.1, n), rng.standard_normal((n, 6)))).astype(dtype)


def taste(x):
    return x[:, 0] + 0.06 * x[:, 1] - 0.04 * x[:, 2]


def answers(k, m, seed=0):
    """Of somebody with that taste: k ratings, m comparisons, a few of which prefer neither."""
    x, one, other = photos(k, seed), photos(m, 100 + seed), photos(m, 200 + seed)
    rng = np.random.default_rng(300 + seed)
    y = np.clip(taste(x) + 0.06 * rng.standard_normal(k), 0, 1)
    gap = taste(one) - taste(other) + 0.08 * rng.standard_normal(m)
    turned = (gap < 0)[:, None]
    compared = Compared(
        one=np.where(turned, other, one), other=np.where(turned, one, other), equal=np.abs(gap) < 0.02
    )
    return x, y, compared


@pytest.fixture(params=["bayes", "auto", "auto without a prior", "pairs"])
def make(request, prior):
    kinds = {"bayes": BayesAdapter, "auto": AutoAdapter, "pairs": PairsAdapter}
    name, _, without = request.param.partition(" ")
    return lambda: kinds[name](None if without else prior)


def assert_same(one, other, new):
    for field in FIELDS:
        assert getattr(one.predict(new), field).tobytes() == getattr(other.predict(new), field).tobytes()


def test_without_comparisons_it_is_the_fit_of_the_ratings_to_the_bit(make):
    x, y, compared = answers(12, 4)
    assert_same(make().fit_both(x, y, compared.take(np.array([], int))), make().fit(x, y), photos(9, 9))
    again = make().fit_both(x, y, compared).fit(x, y)
    assert again.compared is None
    assert_same(again, make().fit(x, y), photos(9, 9))


@pytest.mark.parametrize(("k", "m"), [(6, 9), (0, 5), (1, 1)])
def test_the_order_and_the_sides_do_not_matter(make, k, m):
    x, y, compared = answers(k, m)
    rows, pairs = np.random.default_rng(1).permutation(k), np.random.default_rng(2).permutation(m)
    some = compared.take(pairs)
    swapped = some.equal[:, None]
    turned = Compared(
        one=np.where(swapped, some.other, some.one),
        other=np.where(swapped, some.one, some.other),
        equal=some.equal,
    )
    assert_same(make().fit_both(x, y, compared), make().fit_both(x[rows], y[rows], turned), photos(9, 9))


@pytest.mark.parametrize(("k", "m"), [(6, 9), (0, 5)])
def test_a_state_restores_it_to_the_bit(make, k, m):
    x, y, compared = answers(k, m)
    fitted = make().fit_both(x, y, compared)
    state = {key: np.ascontiguousarray(value) for key, value in fitted.state().items()}
    again = make().restore(load(save(state)))
    assert_same(again, fitted, photos(9, 9))
    assert (again.support[0].tobytes(), again.support[1].tobytes()) == (x.tobytes(), y.tobytes())
    for field in ("one", "other", "equal"):
        assert getattr(again.compared, field).tobytes() == getattr(compared, field).tobytes()
    for key, value in fitted.state().items():
        assert again.state()[key].tobytes() == value.tobytes(), key


def test_a_photo_scores_alone_as_among_others(make):
    fitted, new = make().fit_both(*answers(6, 9)), photos(50, 9)
    alone = np.concatenate([fitted.predict(new[row : row + 1]).low for row in range(50)])
    assert alone.tobytes() == fitted.predict(new).low.tobytes()


def test_the_linear_form_scores_as_it_does(make, prior):
    fitted, new = make().fit_both(*answers(6, 9)), photos(9, 9)
    used = None if fitted._prior is None else prior
    form = LinearForm.unpack(fitted.linear_form().pack(), used, 6)
    np.testing.assert_allclose(
        LinearForms.of([form]).unit_scores(new, used)[0], fitted.predict(new).score, rtol=0, atol=1e-9
    )


def test_comparisons_beside_ratings_teach(make):
    gains = []
    for seed in range(8):
        x, y, compared = answers(8, 40, seed)
        new = photos(200, 900 + seed)
        both, alone = make().fit_both(x, y, compared), make().fit(x, y)
        gains.append(
            spearman(both.predict(new).score, taste(new)) - spearman(alone.predict(new).score, taste(new))
        )
    assert np.mean(gains) > 0.02


def test_opposite_comparisons_cancel_out_and_equal_ones_bring_together(prior):
    x, y = photos(1, 1), photos(1, 2)
    x[0, 0], y[0, 0] = 0.7, 0.3

    def gap(*answered):
        one, other, equal = zip(*answered, strict=True)
        compared = Compared(one=np.concatenate(one), other=np.concatenate(other), equal=np.array(equal))
        learned = BayesAdapter(prior).fit_both(x[:0], np.zeros(0), compared)
        score, _ = learned._normal(learned._learned, np.concatenate([x, y]).astype(np.float64))
        return score[0] - score[1]

    crowd = np.diff(prior.basis(np.concatenate([y, x])) @ prior.mean)[0]
    won, lost, both = gap((x, y, False)), gap((y, x, False)), gap((x, y, False), (y, x, False))
    assert won > crowd > lost
    assert abs(gap((x, y, True))) < abs(crowd)
    assert abs(both) < abs(crowd)


def test_only_what_a_comparison_says_is_learned_from_it(prior):
    """Nothing of the level: photos like those of training keep the crowd's on average."""
    _, _, compared = answers(1, 60)
    fitted, new = PairsAdapter(prior).fit_both(np.zeros((0, 7)), np.zeros(0), compared), photos(400, 9)
    assert fitted.predict(new).score.mean() == pytest.approx((prior.basis(new) @ prior.mean).mean(), abs=0.03)


def test_pairs_takes_as_many_comparisons_as_ratings(prior):
    x, y = photos(9), taste(photos(9))
    order = np.lexsort((y, *x[:, :3].astype(float).T))
    x, y = x[order], y[order]
    one, other = np.arange(9), (np.arange(9) + 3) % 9
    better, worse = np.where(y[one] > y[other], (one, other), (other, one))
    told = Compared.preferring(x[better], x[worse])
    expected = PairsAdapter(prior).fit_both(x[:0], np.zeros(0), told)
    np.testing.assert_allclose(
        PairsAdapter(prior).fit(x, y).predict(photos(5, 5)).score,
        expected.predict(photos(5, 5)).score,
        rtol=0,
        atol=1e-12,
    )


def test_a_state_of_the_release_before_is_read(prior):
    """It kept preferred photos and others as ratings of 1 and 0."""
    x, _, compared = answers(1, 3)
    fitted = PairsAdapter(prior).fit_both(
        x[:0], np.zeros(0), Compared.preferring(compared.one, compared.other)
    )
    old = {key: value for key, value in fitted.state().items() if key != "comparisons"}
    again = PairsAdapter(prior).restore({**old, "compared": np.array(1)})
    assert (len(again.support[1]), len(again.compared)) == (0, 3)
    assert_same(again, fitted, photos(5, 5))


@pytest.mark.parametrize("m", [0, 9])
def test_what_she_prefers_is_the_posterior_of_the_difference(make, m):
    """Against the scores' own variances: of a photo and a far one, and of a photo and itself."""
    x, y, compared = answers(6, max(m, 1))
    fitted = make().fit_both(x, y, compared) if m else make().fit(x, y)
    one, other = photos(40, 8), photos(40, 9)
    sure = fitted.preferring(one, other)
    np.testing.assert_allclose(sure + fitted.preferring(other, one), 1, rtol=0, atol=1e-12)
    np.testing.assert_allclose(fitted.preferring(one, one), 0.5, rtol=0, atol=1e-9)
    means = [fitted._normal(fitted._learned, side.astype(float))[0] for side in (one, other)]
    assert ((sure > 0.5) == (means[0] > means[1])).all()
    alone = np.concatenate([fitted.preferring(one[row : row + 1], other[row : row + 1]) for row in range(40)])
    assert alone.tobytes() == sure.tobytes()


def test_probabilities_are_right_as_often_as_they_say(prior):
    """Of people drawn from the prior: pairs said to be preferred with p are, in a share p of cases."""
    from piaa.adapters.bayes import mixture_of

    grid, told, true = mixture_of(prior), [], []
    weights = np.exp(grid.log_weights)[:, 0]
    for seed in range(150):
        rng = np.random.default_rng(seed)
        c, v = np.unravel_index(rng.choice(weights.size, p=weights.ravel() / weights.sum()), weights.shape)
        w = rng.multivariate_normal(grid.mean, grid.covariances[c])
        x, one, other = photos(5, seed), photos(60, 500 + seed), photos(60, 900 + seed)
        gap = (prior.basis(one) - prior.basis(other)) @ w + np.sqrt(2 * grid.noise[v]) * rng.standard_normal(
            60
        )
        y = prior.basis(x) @ w + np.sqrt(grid.noise[v]) * rng.standard_normal(5)
        better, worse = np.where((gap > 0)[:, None], (one, other), (other, one))
        told.append(
            BayesAdapter(prior)
            .fit_both(x, y, Compared.preferring(better[:8], worse[:8]))
            .preferring(one[8:], other[8:])
        )
        true.append(gap[8:] > 0)
    told, true = np.concatenate(told), np.concatenate(true)
    for low, high in ((0.5, 0.65), (0.65, 0.8), (0.8, 0.95)):
        inside = (np.maximum(told, 1 - told) >= low) & (np.maximum(told, 1 - told) < high)
        right = (true == (told > 0.5))[inside].mean()
        assert right == pytest.approx(np.maximum(told, 1 - told)[inside].mean(), abs=0.04)


def test_nothing_at_all_is_too_few(make):
    x, y, compared = answers(2, 2)
    with pytest.raises(TooFewRatings):
        make().fit_both(x[:0], y[:0], compared.take(np.array([], int)))


def test_what_does_not_fit_together_is_refused(make):
    x, y, compared = answers(2, 3)
    narrow = Compared(one=compared.one[:, :5], other=compared.other[:, :5], equal=compared.equal)
    uneven = Compared(one=compared.one, other=compared.other[:2], equal=compared.equal)
    damaged = Compared(one=compared.one * np.nan, other=compared.other, equal=compared.equal)
    for wrong, message in (
        (narrow, "photos compared have 5 numbers each, rated ones 7; give vectors of one model"),
        (
            uneven,
            "photos compared of shapes (3, 7) and (2, 7), outcomes of shape (3,); expected (m, 1 + d) twice, "
            "and (m,)",
        ),
        (
            damaged,
            "features of 3 of 3 photos are not finite numbers, the first in row 0; leave these photos out, "
            "or compute them again",
        ),
    ):
        with pytest.raises(ShapeError) as caught:
            make().fit_both(x, y, wrong)
        assert str(caught.value) == message


def test_vectors_that_the_store_lost_are_missed(prior):
    state = AutoAdapter(prior).fit_both(*answers(2, 3)).state()
    state["support.features"] = state["support.features"].copy()
    state["support.features"][-1] = np.nan
    with pytest.raises(
        StoreError, match=r"^adapter 'auto' was learned with vectors of photos that are damaged"
    ):
        AutoAdapter(prior).restore(state)


def test_an_adapter_of_ratings_refuses_comparisons():
    with pytest.raises(NotImplementedError, match=r"^adapter 'ridge' declares no fit_both; ask before"):
        RidgeAdapter().fit_both(*answers(2, 2))


def test_a_comparison_of_a_photo_that_is_held_out_goes_with_it():
    _, _, compared = answers(1, 5)
    left = compared.without(np.concatenate([compared.one[:1], compared.other[3:4]]))
    assert left.one.tobytes() == compared.one[[1, 2, 4]].tobytes()
