from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generic.errors import RatingsError, ScaleError
from piaa.ratings.scale import Scale

GIVE_ENDS = "give ends such as 1 and 5"
NO_WIDTH = (
    "has no width, expected its low end below its high end; "
    "give the worst possible score first, such as 1 and 5"
)

ends = st.floats(min_value=-1e12, max_value=1e12)


@st.composite
def scales(draw):
    low, high = sorted((draw(ends), draw(ends)))
    return Scale(low, high) if low < high else Scale(low, low + 1 + abs(low))


@given(scales(), st.lists(st.floats(min_value=0, max_value=1), max_size=20))
def test_unit_and_back_keeps_scores_and_their_order_and_never_leaves_the_scale(scale, units):
    units = np.sort(np.array(units))
    scores = scale.from_unit(units)
    assert scale.contains(scores).all()
    assert (np.diff(scores) >= 0).all()
    again = scale.to_unit(scores)
    assert (np.diff(again) >= 0).all()
    width = scale.high - scale.low
    magnitude = max(abs(scale.low), abs(scale.high))
    np.testing.assert_allclose(again, units, rtol=0, atol=4 * np.spacing(magnitude) / width + 1e-15)


@given(scales())
def test_the_ends_are_exact(scale):
    assert scale.from_unit([0, 1]).tolist() == [scale.low, scale.high]
    assert scale.to_unit([scale.low, scale.high]).tolist() == [0, 1]


@given(scales())
def test_text_and_json_round_trips(scale):
    assert Scale.parse(str(scale)) == scale
    assert Scale.from_json(json.loads(json.dumps(scale.to_json()))) == scale


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("1-5", 1, 5),
        ("1:5", 1, 5),
        ("1,5", 1, 5),
        ("1..5", 1, 5),
        ("-2:2", -2, 2),
        ("-2-2", -2, 2),
        ("-3--1", -3, -1),
        (" 0 - 10 ", 0, 10),
        ("0.5..4.5", 0.5, 4.5),
        ("1e-3..2e+3", 0.001, 2000),
        ("+1:+7", 1, 7),
    ],
)
def test_parse(text, low, high):
    assert Scale.parse(text) == Scale(low, high)


@pytest.mark.parametrize(
    "text", ["", "5", "1...5", "1-", "1;5", "a-b", "nan..5", "1..inf", "1,5,9", "1 5", "１-５", ".5-1"]
)
def test_parse_refuses_other_text(text):
    with pytest.raises(ScaleError) as caught:
        Scale.parse(text)
    assert str(caught.value) == f"the scale {text!r} is not two numbers; write it as LOW..HIGH, such as 1..5"


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [
        (5, 1, f"the scale 5..1 {NO_WIDTH}"),
        (3, 3, f"the scale 3..3 {NO_WIDTH}"),
        (math.nan, 5, "the scale's low end is nan, expected a finite number; " + GIVE_ENDS),
        (1, math.inf, "the scale's high end is inf, expected a finite number; " + GIVE_ENDS),
        (1, 10**400, "the scale's high end is inf, expected a finite number; " + GIVE_ENDS),
        ("1", 5, "the scale's low end is '1', expected a number; " + GIVE_ENDS),
        (0, True, "the scale's high end is True, expected a number; " + GIVE_ENDS),
        (-1.7e308, 1.7e308, "the scale -1.7e+308..1.7e+308 is wider than a float can hold; " + GIVE_ENDS),
    ],
)
def test_impossible_scales(low, high, message):
    with pytest.raises(ScaleError) as caught:
        Scale(low, high)
    assert str(caught.value) == message


@pytest.mark.parametrize("value", [None, 5, "15", [1], [1, 2, 3], {"low": 1, "high": 5}])
def test_from_json_refuses_what_is_no_pair(value):
    with pytest.raises(ScaleError) as caught:
        Scale.from_json(value)
    assert str(caught.value) == (
        f"the scale {value!r} is not a list of two numbers; write [LOW, HIGH], such as [1, 5]"
    )


def test_from_json_takes_a_tuple():
    assert Scale.from_json((1, 5)) == Scale(1, 5)


def test_ends_are_python_floats_and_frozen():
    scale = Scale(np.int64(1), np.float32(5))
    assert [type(end) for end in (scale.low, scale.high)] == [float, float]
    assert hash(scale) == hash(Scale(1, 5))
    with pytest.raises(dataclasses.FrozenInstanceError):
        scale.low = 0


def test_text_of_whole_and_broken_ends():
    assert str(Scale(1, 5)) == "1..5"
    assert str(Scale(-0.5, 2)) == "-0.5..2"
    assert str(Scale(-0.0, 1e300)) == "0..1e+300"


def test_arrays_keep_their_shape_and_become_float64():
    scale = Scale(1, 5)
    for shape in [(), (0,), (2, 3)]:
        scores = np.full(shape, 3, dtype=np.int32)
        units = scale.to_unit(scores)
        assert (units.shape, units.dtype) == (shape, np.float64)
        back = scale.from_unit(units)
        assert isinstance(back, np.ndarray)
        assert (back.shape, back.dtype) == (shape, np.float64)
        assert scale.contains(scores).shape == shape
    assert scale.to_unit(2).item() == 0.25


def test_contains():
    inside = Scale(1, 5).contains([1, 5, 0.999, 5.001, np.nan, np.inf])
    assert inside.tolist() == [True, True, False, False, False, False]


def test_scores_outside_the_scale():
    with pytest.raises(ScaleError) as caught:
        Scale(1, 5).to_unit([3, 7, np.nan])
    assert str(caught.value) == (
        "2 of 3 scores lie outside the scale 1..5, the first is 7; "
        "correct the scores or give their real scale"
    )
    with pytest.raises(ScaleError) as caught:
        Scale(1, 5).to_unit(np.nan)
    assert str(caught.value) == (
        "1 of 1 score lies outside the scale 1..5, the first is nan; "
        "correct the scores or give their real scale"
    )


def test_unit_scores_outside_the_unit_scale_but_for_rounding():
    scale = Scale(1, 5)
    assert scale.from_unit([-1e-12, 1 + 1e-12]).tolist() == [1, 5]
    with pytest.raises(ScaleError) as caught:
        scale.from_unit([0.5, 1.25])
    assert str(caught.value) == (
        "1 of 2 scores lie outside the unit scale 0..1, the first is 1.25; "
        "clip predictions to [0, 1] before turning them into scores"
    )


def test_a_scale_error_is_a_ratings_error():
    assert issubclass(ScaleError, RatingsError)


def test_importing_scale_ratings_and_locate_loads_nothing_heavy():
    code = (
        "import sys, piaa.ratings.scale, piaa.ratings.table, piaa.ratings.locate; "
        "print(sorted({'torch', 'pandas', 'pyarrow', 'scipy', 'sklearn', 'PIL'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
