"""One value of a table, from text or from what a program holds: a name, or a score.

Other ways of writing a score are understood here.
"""

from __future__ import annotations

import math
import numbers
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np

from piaa.ratings.bad_value import BadValue as BadValue
from piaa.ratings.spelling import escaped
from piaa.ratings.written import PLAIN_NUMBER, parse_written

if TYPE_CHECKING:
    from piaa.ratings.scale import Scale

_PLAIN_TEXT = "write every user and image as plain text"
_RIGHT_SCALE = "correct the score or pass its real scale as --scale LOW HIGH"


EMPTY = BadValue("is empty", "fill in every field or delete the row")


class NoScore(Enum):
    """What stands in place of a score that was not given."""

    UNRATED = "unrated"
    REJECTED = "rejected"


def parse_name(value: object) -> str | BadValue:
    """A user's or an image's name, without the spaces around it; whole numbers and paths are names too.

    Nothing else about a name is changed, because it must still match the file on disk (a backslash, for
    one, is a legal character there).
    """
    if value is None:
        return EMPTY
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        return str(int(value))
    if isinstance(value, PurePath):
        value = escaped(str(value))
    if not isinstance(value, str):
        return BadValue("is not text", _PLAIN_TEXT)
    name = value.strip()
    if not name:
        return EMPTY
    # JSON can smuggle in both; no file name and no database field can hold them.
    if not name.isprintable() and ("\0" in name or any("\ud800" <= letter <= "\udfff" for letter in name)):
        return BadValue("holds a NUL or half a character", _PLAIN_TEXT)
    return name


def parse_score(value: object, *, scale: Scale) -> float | BadValue | NoScore:
    """A score on the scale, from a number or from text.

    Of what lies outside of the scale, 0 is what programs write for a photo without a rating, and -1 for one
    that was rejected: neither is the worst score.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return NoScore.UNRATED
    number = _number(value, scale)
    if isinstance(number, BadValue):
        return number
    if not math.isfinite(number):
        return BadValue("is not a finite number", PLAIN_NUMBER)
    if scale.low <= number <= scale.high:
        return number
    if number in (0, -1):
        return NoScore.UNRATED if number == 0 else NoScore.REJECTED
    return _outside(scale)


def require_score(value: object, *, scale: Scale) -> float | BadValue:
    """As :func:`parse_score`, where every row must have a score."""
    found = parse_score(value, scale=scale)
    if not isinstance(found, NoScore):
        return found
    blank = value is None or (isinstance(value, str) and not value.strip())
    return EMPTY if blank else _outside(scale)


def _outside(scale: Scale) -> BadValue:
    return BadValue(f"is outside the scale {scale}", _RIGHT_SCALE)


def _number(value: object, scale: Scale) -> float | BadValue:
    if isinstance(value, bool | np.bool_):
        return BadValue("is true or false, not a number", PLAIN_NUMBER)
    # float() would read "1_0" as 10, which nobody means in a table.
    if not isinstance(value, str | numbers.Real | Decimal) or (isinstance(value, str) and "_" in value):
        return BadValue("is not a number", PLAIN_NUMBER)
    try:
        return float(value)
    except (ValueError, OverflowError):
        written = parse_written(value.strip(), scale) if isinstance(value, str) else None
        return BadValue("is not a number", PLAIN_NUMBER) if written is None else written
