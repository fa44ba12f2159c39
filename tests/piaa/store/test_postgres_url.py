"""A URL's password: of any characters for libpq, told to nobody."""

from __future__ import annotations

import pytest

from generic.errors import StoreError
from piaa.store.postgres_url import as_url, shown


@pytest.mark.parametrize(
    ("given", "understood", "told"),
    [
        ("postgresql://ana:secret@h/d", "postgresql://ana:secret@h/d", "postgresql://ana:***@h/d"),
        ("postgresql://ana:s@c/r@h:1/d", "postgresql://ana:s%40c%2Fr@h:1/d", "postgresql://ana:***@h:1/d"),
        ("postgresql://ana:s%40c@h/d", "postgresql://ana:s%40c@h/d", "postgresql://ana:***@h/d"),
        ("postgresql://ana:50%@h/d", "postgresql://ana:50%25@h/d", "postgresql://ana:***@h/d"),
        ("postgres://ana@cloud:pw@h/d", "postgres://ana%40cloud:pw@h/d", "postgres://ana%40cloud:***@h/d"),
        (
            "postgresql://ana:p/w@/d?host=/run&options=a@b",
            "postgresql://ana:p%2Fw@/d?host=/run&options=a@b",
            "postgresql://ana:***@/d?host=/run&options=a@b",
        ),
        ("postgresql:///d?host=/run/x", "postgresql:///d?host=/run/x", "postgresql:///d?host=/run/x"),
        ("postgresql://ana@h:5/d", "postgresql://ana@h:5/d", "postgresql://ana@h:5/d"),
        (
            "postgresql://h/d?user=a&password=se@c/ret",
            "postgresql://h/d?user=a&password=se@c/ret",
            "postgresql://h/d?user=a&password=***",
        ),
    ],
)
def test_what_is_understood_and_what_is_told(given, understood, told):
    assert as_url(given) == understood
    assert as_url(understood) == understood
    assert shown(understood) == told


def test_half_a_character(refusal):
    assert refusal(StoreError, as_url, "postgresql://ana:per%cent@h/d") == (
        "the store's URL cannot be understood; write a % of the password as %25"
    )
