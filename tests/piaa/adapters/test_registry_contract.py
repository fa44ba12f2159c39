"""What every adapter promises: one battery, run over each of them."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import load, save

from generic.errors import NotFitted, ShapeError, StoreError, TooFewRatings
from generic.metrics import spearman
from piaa.adapters.prior import Prior
from piaa.adapters.registry import ADAPTERS, DEFAULT, make_adapter

D = 7  # more directions than the prior uses
FIELDS = ("score", "low", "high")


@pytest.fixture(params=[name for name, kind in ADAPTERS.items() if not kind.needs_pixels], scope="module")
def name(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def make(name, prior, make_start):
    start = make_start(name, 1 + D) if ADAPTERS[name].needs_start else None
    return partial(make_adapter, name, prior, start=start)


def photos(n, seed=0):
    rng = np.random.default_rng(seed)
    return np.column_stack((rng.normal(0.5, 0.1, n), rng.standard_normal((n, D))))


def ratings(features, seed=0):
    """Of someone who mostly agrees with the crowd and likes the first two directions."""
    noise = 0.05 * np.random.default_rng(1000 + seed).standard_normal(len(features))
    return np.clip(features[:, 0] + 0.06 * features[:, 1] - 0.04 * features[:, 2] + noise, 0, 1)


def fit(make, k=20, seed=0):
    x = photos(k, seed)
    return make().fit(x, ratings(x, seed))


def assert_same_bits(one, other):
    for field in FIELDS:
        assert getattr(one, field).tobytes() == getattr(other, field).tobytes(), field


def assert_sound(prediction, n):
    for field in FIELDS:
        values = getattr(prediction, field)
        assert values.shape == (n,), field
        assert values.dtype == np.float64, field
    assert (prediction.low >= 0).all()
    assert (prediction.low <= prediction.score).all()
    assert (prediction.score <= prediction.high).all()
    assert (prediction.high <= 1).all()


def test_the_default_is_one_of_them():
    assert DEFAULT in ADAPTERS


def test_fit_returns_the_adapter_itself(make):
    adapter = make()
    assert adapter.fit(photos(5), ratings(photos(5))) is adapter
    assert make().restore(adapter.state()).name == adapter.name


def test_refitting_equals_a_fresh_fit(make):
    x = photos(30, seed=3)
    again = fit(make, k=50, seed=9).fit(x, ratings(x, 3))
    fresh = fit(make, k=30, seed=3)
    assert_same_bits(again.predict(photos(40, 1)), fresh.predict(photos(40, 1)))


@pytest.mark.parametrize("k", [2, 10, 60])
def test_the_order_of_the_ratings_does_not_matter(make, k):
    x = photos(k)
    order = np.random.default_rng(5).permutation(k)
    one = make().fit(x, ratings(x)).predict(photos(40, 1))
    other = make().fit(x[order], ratings(x)[order]).predict(photos(40, 1))
    for field in FIELDS:
        np.testing.assert_allclose(getattr(other, field), getattr(one, field), rtol=0, atol=1e-9)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_score_does_not_depend_on_what_else_is_scored(make, dtype, order):
    adapter = fit(make)
    x = np.asarray(photos(301, 1), dtype, order=order)
    together = adapter.predict(x)
    alone = [adapter.predict(x[row : row + 1]) for row in range(len(x))]
    odd = adapter.predict(x[1::3])
    for field in FIELDS:
        whole = getattr(together, field)
        assert np.concatenate([getattr(one, field) for one in alone]).tobytes() == whole.tobytes(), field
        assert getattr(odd, field).tobytes() == whole[1::3].tobytes(), field


def test_predicting_changes_nothing(make):
    adapter, x = fit(make), photos(40, 1)
    first, state = adapter.predict(x), adapter.state()
    adapter.predict(photos(7, 2))
    assert_same_bits(adapter.predict(x), first)
    assert all(np.array_equal(adapter.state()[key], value) for key, value in state.items())


def test_fitting_and_predicting_leave_their_arguments_alone(make):
    x, y, z = photos(12), ratings(photos(12)), photos(5, 1)
    for array in (x, y, z):
        array.flags.writeable = False
    before = x.tobytes(), y.tobytes(), z.tobytes()
    make().fit(x, y).predict(z)
    assert (x.tobytes(), y.tobytes(), z.tobytes()) == before


def test_what_was_learned_does_not_change_with_the_arrays_it_came_from(make):
    x, y = photos(12), ratings(photos(12))
    adapter = make().fit(x, y)
    before = adapter.predict(photos(5, 1))
    x[:], y[:] = 9.0, 0.5
    assert_same_bits(adapter.predict(photos(5, 1)), before)


@pytest.mark.parametrize("k", [1, 2, 3, 40])
def test_state_restores_the_adapter_bit_for_bit_also_through_a_file(make, k):
    adapter, x = fit(make, k), photos(40, 1)
    state = adapter.state()
    content = save({key: np.asarray(value, order="C") for key, value in state.items()})
    for again in (state, load(content)):
        restored = make().restore(again)
        assert_same_bits(restored.predict(x), adapter.predict(x))
        assert restored.state().keys() == state.keys()
        for key, value in state.items():
            assert restored.state()[key].tobytes() == value.tobytes(), key
            assert restored.state()[key].shape == value.shape, key


def test_a_state_is_small_and_holds_the_ratings_it_came_from(make):
    adapter = fit(make, 20)
    state = {key: value for key, value in adapter.state().items() if not key.startswith("support.")}
    # At most a covariance of the p + k numbers of the largest model, and the photos' places.
    assert sum(value.nbytes for value in state.values()) < 8 * (6 + 20) ** 2
    x = photos(20)
    assert adapter.state()["support.features"].tobytes() == x.tobytes()
    assert adapter.state()["support.scores"].tobytes() == ratings(x).tobytes()


def test_features_are_remembered_in_their_own_precision(make):
    x = photos(5).astype(np.float32)
    assert make().fit(x, ratings(x)).state()["support.features"].dtype == np.float32


@pytest.mark.parametrize(("version", "cure"), [(None, "older"), (1, "older"), (4, "newer")])
def test_a_state_of_another_format(make, name, version, cure):
    state = fit(make, 3).state()
    del state["format"]
    if version is not None:
        state["format"] = np.array(version)
    with pytest.raises(StoreError) as caught:
        make().restore(state)
    how = {
        "older": "learn her again from what she said: piaa fit-user --user NAME",
        "newer": "upgrade piaa: pip install --upgrade piaa",
    }[cure]
    assert str(caught.value) == (
        f"adapter {name!r} was saved by {'an' if cure == 'older' else 'a'} {cure} piaa "
        f"(state format {version or 1}, this piaa reads 2 to 3); {how}"
    )


@pytest.mark.parametrize("width", [1, D, D + 2])
def test_photos_of_another_model(make, name, width):
    adapter, wrong = fit(make, 5), np.full((2, width), 0.5)
    with pytest.raises(ShapeError) as caught:
        adapter.predict(wrong)
    assert str(caught.value) == (
        f"features of shape (2, {width}), but adapter {name!r} was fitted on vectors of {1 + D} numbers; "
        f"expected (n, {1 + D}), from the same model"
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none(make, value):
    x, y = photos(5), ratings(photos(5))
    broken, wrong = x.copy(), y.copy()
    broken[[1, 4], 2] = value
    wrong[3] = value
    message = (
        "{} of {} of 5 photos are not finite numbers, the first in row {}; "
        "leave these photos out, or compute them again"
    )
    adapter = make().fit(x, y)
    for call, expected in (
        (lambda: make().fit(broken, y), message.format("features", 2, 1)),
        (lambda: make().fit(x, wrong), message.format("scores", 1, 3)),
        (lambda: adapter.predict(broken), message.format("features", 2, 1)),
    ):
        with pytest.raises(ShapeError) as caught:
            call()
        assert str(caught.value) == expected


def test_the_same_photo_praised_and_condemned(make):
    """Contradictory ratings of one photo cancel out; they are no error."""
    x = np.repeat(photos(1), 20, axis=0)
    y = np.tile([0.0, 1.0], 10)
    both = make().fit(x, y).predict(photos(30, 1))
    assert_sound(both, 30)
    assert np.mean(both.high - both.low) > 0.4


@pytest.mark.parametrize("k", [1, 2, 7, 13])
def test_many_people_at_once_are_each_as_if_alone(make, k):
    supports = [photos(k + u % 2, seed=u) for u in range(5)]
    scores = [ratings(x, u) for u, x in enumerate(supports)]
    for x, y, many in zip(supports, scores, make().fit_many(supports, scores), strict=True):
        one, several = make().fit(x, y).predict(photos(40, 9)), many.predict(photos(40, 9))
        for field in FIELDS:
            np.testing.assert_allclose(getattr(several, field), getattr(one, field), rtol=0, atol=1e-9)


def test_not_fitted(make, name):
    for call in (lambda: make().predict(photos(3)), lambda: make().state()):
        with pytest.raises(NotFitted) as caught:
            call()
        assert str(caught.value) == f"adapter {name!r} is not fitted; call fit(features, unit_scores) first"


def test_no_rating_at_all(make):
    with pytest.raises(TooFewRatings) as caught:
        make().fit(photos(0), np.zeros(0))
    assert str(caught.value) == (
        "an adapter was given 0 ratings, but it needs at least 1; rate some photos first"
    )


def test_arrays_that_do_not_fit_together(make):
    with pytest.raises(ShapeError) as caught:
        make().fit(photos(5), np.zeros(4))
    assert str(caught.value) == (
        f"features of shape (5, {1 + D}) and scores of shape (4,); expected (k, 1 + d) and (k,)"
    )


def test_a_fit_that_is_refused_leaves_the_earlier_one(make):
    adapter = fit(make)
    before = adapter.predict(photos(5, 1))
    with pytest.raises(ShapeError):
        adapter.fit(photos(5), np.zeros(4))
    assert_same_bits(adapter.predict(photos(5, 1)), before)


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("rating", [0.0, 0.5, 1.0])
def test_few_and_equal_ratings_are_enough(make, k, rating):
    prediction = make().fit(photos(k), np.full(k, rating)).predict(photos(30, 1))
    assert_sound(prediction, 30)
    assert len(np.unique(prediction.score)) == 30


def test_many_equal_ratings_are_enough(make):
    prediction = make().fit(photos(50), np.full(50, 1.0)).predict(photos(30, 1))
    assert_sound(prediction, 30)
    assert len(np.unique(prediction.score)) == 30


def test_the_same_photo_rated_again_and_again_is_enough(make):
    x = np.repeat(photos(1), 20, axis=0)
    assert_sound(make().fit(x, np.linspace(0.2, 0.8, 20)).predict(photos(30, 1)), 30)


def test_no_photo_to_predict(make):
    assert_sound(fit(make).predict(photos(0)), 0)


def test_lists_of_ratings_are_as_good_as_arrays(make):
    x = photos(8)
    one = make().fit(x, ratings(x)).predict(photos(5, 1))
    assert_same_bits(make().fit(x.tolist(), ratings(x).tolist()).predict(photos(5, 1).tolist()), one)


@given(data=st.data())
@pytest.mark.parametrize("extreme", [1.0, 100.0])
def test_scores_and_intervals_stay_in_the_scale_whatever_was_rated(make, extreme, data):
    elements = st.floats(-extreme, extreme)
    k = data.draw(st.integers(1, 12))
    x = data.draw(hnp.arrays(np.float64, (k, 1 + D), elements=elements))
    y = data.draw(hnp.arrays(np.float64, k, elements=st.floats(0, 1)))
    z = data.draw(hnp.arrays(np.float64, (5, 1 + D), elements=elements))
    assert_sound(make().fit(x, y).predict(z), 5)


@given(x=hnp.arrays(np.float64, (5, 1 + D), elements=st.floats(-1e6, 1e6)))
def test_scores_and_intervals_stay_in_the_scale_for_the_strangest_photo(make, x):
    assert_sound(fit(make).predict(x), 5)


def test_many_ratings_teach_more_than_the_crowd_knows(make, name):
    """Every adapter that learns tastes ranks new photos better than the generic score after 100 ratings."""
    x = photos(300, 1)
    taste = ratings(x, 1)
    learned, crowd = spearman(fit(make, 100).predict(x).score, taste), spearman(x[:, 0], taste)
    if name in ("generic", "bias"):
        assert learned == pytest.approx(crowd, abs=1e-12)
    else:
        assert learned > crowd + 0.05


def test_more_agreement_makes_narrower_intervals(make, name):
    if name == "pairs":
        pytest.skip("comparisons do not say how far apart two photos are")
    x = photos(60)
    noise = np.random.default_rng(1000).standard_normal(60)
    widths = []
    for y in (x[:, 0] + 0.01 * noise, x[:, 0] + 0.25 * noise):
        prediction = make().fit(x, np.clip(y, 0, 1)).predict(photos(30, 1))
        widths.append(np.mean(prediction.high - prediction.low))
    assert widths[0] < widths[1]


def test_a_prior_is_not_changed(make, prior):
    before = {key: value.copy() for key, value in prior.tensors().items()}
    fit(make).predict(photos(5))
    assert isinstance(prior, Prior)
    assert all(np.array_equal(prior.tensors()[key], value) for key, value in before.items())
