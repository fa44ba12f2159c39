"""Moments that a person names."""

from __future__ import annotations

import datetime

import pytest

from generic.errors import StoreError
from piaa.store.clock import now, until, written


@pytest.mark.parametrize(("text", "more"), [("1m", "59m"), ("1h", "23h"), ("30d", "31d")])
def test_spans_from_now_are_in_order(text, more):
    assert now() < until(text) < until(more)


@pytest.mark.parametrize("text", ["", "soon", "1w", "-1d", "1.5h", "2027-13-01"])
def test_what_is_no_time(refusal, text):
    assert refusal(StoreError, until, text) == (
        f"{text!r} is no time; give a span such as 12h or 90d, or 2027-01-31"
    )


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00"])
def test_a_time_that_utc_cannot_hold(refusal, text):
    message = f"{text!r} is in UTC outside the years 1 to 9999; name a time within them"
    assert refusal(StoreError, until, text) == message
    assert refusal(StoreError, written, datetime.datetime.fromisoformat(text)) == message
