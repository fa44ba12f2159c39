"""Scores as people and their programs write them: stars, ``3/5``, a decimal comma.

What could be meant in two ways is refused: a score that is read wrongly is worse than none.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from piaa.ratings.bad_value import BadValue

if TYPE_CHECKING:
    from piaa.ratings.scale import Scale

PLAIN_NUMBER = "write every score as a plain number such as 3.5"

_FULL, _EMPTY = "★⭐*", "☆✩"
_STARS = re.compile(f"([{re.escape(_FULL)}]*)(½?)([{_EMPTY}]*)")
_COUNT = re.compile(rf"([0-9]+(?:[.,][0-9]+)?)\s*(?:stars?|[{re.escape(_FULL)}])", re.IGNORECASE)
_SHARE = re.compile(r"([0-9]+(?:[.,][0-9]+)?)\s*(?:/|of|out of)\s*([0-9]+)", re.IGNORECASE)
_COMMA = re.compile(r"([+-]?[0-9]+),([0-9]+)")
_USUAL_STARS = 5
_LONGEST = 40


def parse_written(text: str, scale: Scale) -> float | BadValue | None:
    """A score that is no plain number.

    Args:
        text: without spaces around it.
        scale: decides what ``1,234`` is, and whether ``3/5`` is a score of it.

    Returns:
        the score, on the scale or not; what is wrong with it; None if it is no score at all.
    """
    if len(text) > _LONGEST:
        return None
    if match := _COMMA.fullmatch(text):
        return _with_comma(match[1], match[2], scale)
    if match := _SHARE.fullmatch(text):
        return _out_of(_number(match[1]), float(match[2]), scale)
    if match := _COUNT.fullmatch(text):
        return _out_of(_number(match[1]), _USUAL_STARS, scale)
    # The second half of an emoji says only that it is one; people put spaces between stars.
    if match := _STARS.fullmatch(re.sub("[\\s\ufe0e\ufe0f]", "", text)):
        score = len(match[1]) + len(match[2]) / 2
        shown = len(match[1]) + len(match[2]) + len(match[3])
        return _out_of(score, max(shown, _USUAL_STARS) if not match[3] else shown, scale)
    return None


def _number(text: str) -> float:
    return float(text.replace(",", "."))


def _with_comma(whole: str, rest: str, scale: Scale) -> float | BadValue:
    """A comma before decimals, unless it could as well part thousands."""
    score = float(f"{whole}.{rest}")
    thousands = float(whole + rest)
    if len(rest) == 3 and scale.low <= thousands <= scale.high:
        return BadValue(f"may be {score:g} or {thousands:g}", PLAIN_NUMBER)
    return score


def _out_of(score: float, best: float, scale: Scale) -> float | BadValue:
    """So many of so many: a score of a scale that ends there."""
    if best != scale.high:
        return BadValue(
            f"is out of {best:g}, but the scale is {scale}",
            "write every score as a plain number of the scale, or pass its real scale as --scale LOW HIGH",
        )
    return score
