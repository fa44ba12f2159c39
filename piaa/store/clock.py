"""The time as the store writes it."""

from __future__ import annotations

import datetime
import re

from generic.errors import StoreError

_SPANS = {"m": "minutes", "h": "hours", "d": "days"}


def now() -> str:
    """ISO 8601, UTC, to the microsecond: of two ratings of a photo the later one counts."""
    return written(datetime.datetime.now(datetime.UTC))


def written(moment: datetime.datetime) -> str:
    """A moment as the store has it: of two the later one is the larger text.

    Raises:
        StoreError: in UTC it lies before the year 1 or after the year 9999.
    """
    try:
        moment = moment.astimezone(datetime.UTC)
    except OverflowError:
        raise StoreError(
            f"{moment.isoformat()!r} is in UTC outside the years 1 to 9999; name a time within them"
        ) from None
    return moment.isoformat(timespec="microseconds")


def until(text: str) -> str:
    """A moment that a person names: as a span from now, or as a date or time in UTC.

    Raises:
        StoreError: it is neither, or outside the years 1 to 9999 in UTC.

    Example:
        >>> until("2027-01-31"), until("2027-01-31T12:00+01:00")
        ('2027-01-31T00:00:00.000000+00:00', '2027-01-31T11:00:00.000000+00:00')
    """
    span = re.fullmatch(r"(\d{1,5})([mhd])", text)
    if span:
        after = datetime.timedelta(**{_SPANS[span[2]]: int(span[1])})
        return written(datetime.datetime.now(datetime.UTC) + after)
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise StoreError(f"{text!r} is no time; give a span such as 12h or 90d, or 2027-01-31") from None
    return written(moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC))
