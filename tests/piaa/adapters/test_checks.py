"""The checks that adapters share."""

from __future__ import annotations

import numpy as np
import pytest

from generic.errors import NotFitted, ShapeError, TooFewRatings, TooLarge
from piaa.adapters.checks import check_most, check_support, fitted


def test_support_comes_out_in_double_precision():
    x, y = check_support([[1, 2], [3, 4]], np.array([0, 1], np.float32))
    assert (x.dtype, y.dtype) == (np.float64, np.float64)
    assert x.tolist() == [[1, 2], [3, 4]]
    assert y.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("x", "y"), [((5, 3), (4,)), ((5,), (5,)), ((5, 3), (5, 1)), ((5, 3), ()), ((0, 3), (1,))]
)
def test_arrays_that_do_not_fit_together(x, y):
    with pytest.raises(ShapeError) as caught:
        check_support(np.zeros(x), np.zeros(y))
    assert str(caught.value) == (
        f"features of shape {x} and scores of shape {y}; expected (k, 1 + d) and (k,)"
    )


def test_no_rating_at_all():
    with pytest.raises(TooFewRatings) as caught:
        check_support(np.zeros((0, 3)), np.zeros(0))
    assert str(caught.value) == (
        "an adapter was given 0 ratings, but it needs at least 1; rate some photos first"
    )


def test_more_ratings_than_an_adapter_takes():
    check_most(3_000, 3_000, "neighbours")
    check_most(10**9, None, "auto")
    with pytest.raises(TooLarge) as caught:
        check_most(3_001, 3_000, "neighbours")
    assert str(caught.value) == (
        "adapter 'neighbours' was given 3,001 ratings, but it takes at most 3,000, as its time and memory "
        "grow faster than they do; use --adapter auto"
    )


def test_fitted():
    state = {"a": np.zeros(1)}
    assert fitted(state, "ridge") is state
    with pytest.raises(NotFitted) as caught:
        fitted(None, "ridge")
    assert str(caught.value) == "adapter 'ridge' is not fitted; call fit(features, unit_scores) first"
