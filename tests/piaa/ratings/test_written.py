"""Scores as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from piaa.ratings.bad_value import BadValue
from piaa.ratings.scale import Scale
from piaa.ratings.values import NoScore, parse_score

FIVE, TEN = Scale(1, 5), Scale(0, 10)
NUMBER = "write every score as a plain number such as 3.5"
SHARE = "write every score as a plain number of the scale, or pass its real scale as --scale LOW HIGH"


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("★★★☆☆", 3), ("★★★★★", 5), ("★", 1), ("⭐⭐⭐⭐", 4), ("⭐️ ⭐️", 2), ("★★★½", 3.5), ("★★½☆☆", 2.5),
        ("***", 3), ("3/5", 3), ("3 / 5", 3), ("3,5/5", 3.5), ("4 of 5", 4), ("4 out of 5", 4),
        ("3.5 stars", 3.5), ("1 star", 1), ("4★", 4), ("4*", 4), ("3,5", 3.5), ("3,0", 3),
        ("+4,25", 4.25), (" 4 ", 4), ("4e0", 4), ("1,234", 1.234),
    ],
)  # fmt: skip
def test_one_score_in_many_forms(text, score):
    assert parse_score(text, scale=FIVE) == score


@pytest.mark.parametrize(
    ("text", "scale", "bad"),
    [
        ("1,234", Scale(0, 2000), BadValue("may be 1.234 or 1234", NUMBER)),
        ("3/5", TEN, BadValue("is out of 5, but the scale is 0..10", SHARE)),
        ("3/10", FIVE, BadValue("is out of 10, but the scale is 1..5", SHARE)),
        ("★★★", TEN, BadValue("is out of 5, but the scale is 0..10", SHARE)),
        ("★★★☆☆☆", FIVE, BadValue("is out of 6, but the scale is 1..5", SHARE)),
        ("3 stars", TEN, BadValue("is out of 5, but the scale is 0..10", SHARE)),
        ("1,2,3", FIVE, BadValue("is not a number", NUMBER)),
        ("3/", FIVE, BadValue("is not a number", NUMBER)),
        ("☆★", FIVE, BadValue("is not a number", NUMBER)),
        ("★" * 10_000, FIVE, BadValue("is not a number", NUMBER)),
        ("good", FIVE, BadValue("is not a number", NUMBER)),
    ],
)
def test_what_may_be_two_scores_or_none_is_refused(text, scale, bad):
    assert parse_score(text, scale=scale) == bad


@pytest.mark.parametrize(
    ("value", "scale", "found"),
    [
        *((blank, scale, NoScore.UNRATED) for blank in (None, "", " ", "\xa0") for scale in (FIVE, TEN)),
        *((zero, FIVE, NoScore.UNRATED) for zero in (0, 0.0, -0.0, "0", "0.0")),
        *((zero, FIVE, NoScore.UNRATED) for zero in ("0,0", "☆☆☆☆☆", "0/5", "0 stars")),
        *((zero, TEN, 0) for zero in (0, "0", "0,0", "0/10")),
        *((value, FIVE, NoScore.REJECTED) for value in (-1, "-1", "-1.0", "-1,0")),
        (-1, TEN, NoScore.REJECTED),
        (-1, Scale(-1, 1), -1),
        ("0", Scale(-5, -1), NoScore.UNRATED),
    ],
)  # fmt: skip
def test_what_is_no_score(value, scale, found):
    assert parse_score(value, scale=scale) == found


@given(st.floats(1, 5).map(lambda score: round(score, 2)))
def test_a_decimal_comma_is_a_point(score):
    assert parse_score(f"{score:.2f}".replace(".", ","), scale=FIVE) == score


@given(st.text(max_size=50), st.sampled_from([FIVE, TEN, Scale(-2, 2)]))
def test_any_text_is_a_score_of_the_scale_or_none(text, scale):
    found = parse_score(text, scale=scale)
    assert isinstance(found, BadValue | NoScore) or scale.low <= found <= scale.high
