"""One value of a table, from text or from what a program holds: a name, or a score.

Other ways of writing a score are understood here.
"""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from piaa.ratings.scale import Scale

_PLAIN_NUMBER = "write every score as a plain number such as 3.5"
_PLAIN_TEXT = "write every user and image as plain text"
_RIGHT_SCALE = "correct the score or pass its real scale as --scale LOW HIGH"


@dataclass(frozen=True)
class BadValue:
    """What stands in place of a value that could not be read."""

    reason: str
    cure: str


EMPTY = BadValue("is empty", "fill in every field or delete the row")


def parse_name(value: object) -> str | BadValue:
    """A user's or an image's name, without the spaces around it; whole numbers are names too.

    Nothing else about a name is changed, because it must still match the file on disk (a backslash, for
    one, is a legal character there).
    """
    if value is None:
        return EMPTY
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        return str(int(value))
    if not isinstance(value, str):
        return BadValue("is not text", _PLAIN_TEXT)
    name = value.strip()
    if not name:
        return EMPTY
    # JSON can smuggle in both; no file name and no database field can hold them.
    if not name.isprintable() and ("\0" in name or any("\ud800" <= letter <= "\udfff" for letter in name)):
        return BadValue("holds a NUL or half a character", _PLAIN_TEXT)
    return name


def parse_score(value: object, *, scale: Scale) -> float | BadValue:
    """A score on the scale, from a number or from text."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return EMPTY
    if isinstance(value, bool | np.bool_):
        return BadValue("is true or false, not a number", _PLAIN_NUMBER)
    # float() would read "1_0" as 10, which nobody means in a table.
    if not isinstance(value, str | numbers.Real | Decimal) or (isinstance(value, str) and "_" in value):
        return BadValue("is not a number", _PLAIN_NUMBER)
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return BadValue("is not a number", _PLAIN_NUMBER)
    if not math.isfinite(number):
        return BadValue("is not a finite number", _PLAIN_NUMBER)
    if not scale.low <= number <= scale.high:
        return BadValue(f"is outside the scale {scale}", _RIGHT_SCALE)
    return number
