"""A rating scale: the two ends of what a person could have answered, and the way to [0, 1] and back."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from generic.errors import ScaleError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# A number must begin with a digit, so that "1..5" has one reading only.
_NUMBER = r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
_PAIR = re.compile(rf"\s*({_NUMBER})\s*(?:\.\.|[-:,])\s*({_NUMBER})\s*")

# Sums of unit scores pass 0 or 1 by a few roundings; anything further away is an error of the caller.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Scale:
    """The closed interval [low, high] of possible scores, in the dataset's own units.

    Raises:
        ScaleError: an end is not a finite number, or low is not below high.

    Example:
        >>> Scale(1, 5).to_unit([1, 2, 5]).tolist()
        [0.0, 0.25, 1.0]
        >>> str(Scale.parse("1-5"))
        '1..5'
    """

    low: float
    """The worst possible score."""

    high: float
    """The best possible score."""

    def __post_init__(self) -> None:
        for name, value in (("low", self.low), ("high", self.high)):
            if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
                raise ScaleError(
                    f"the scale's {name} end is {value!r}, expected a number; give ends such as 1 and 5"
                )
            object.__setattr__(self, name, _as_float(name, value))
        if not self.low < self.high:
            raise ScaleError(
                f"the scale {self} has no width, expected its low end below its high end; "
                "give the worst possible score first, such as 1 and 5"
            )
        if math.isinf(self.high - self.low):
            raise ScaleError(f"the scale {self} is wider than a float can hold; give ends such as 1 and 5")

    def contains(self, scores: ArrayLike) -> NDArray[np.bool_]:
        """Which scores lie on the scale, its ends included.

        Args:
            scores: any shape, in the scale's units.

        Returns:
            the same shape; False for NaN.
        """
        values = np.asarray(scores, dtype=np.float64)
        return np.asarray((values >= self.low) & (values <= self.high))

    def to_unit(self, scores: ArrayLike) -> NDArray[np.float64]:
        """Scores as unit scores; never changes their order.

        Args:
            scores: any shape, in the scale's units, each in [low, high].

        Returns:
            the same shape, in [0, 1]: 0 for low and 1 for high, exactly.

        Raises:
            ScaleError: a score is NaN or lies outside the scale.
        """
        values = np.asarray(scores, dtype=np.float64)
        inside = self.contains(values)
        if not inside.all():
            raise ScaleError(
                f"{_count(~inside)} outside the scale {self}, the first is {_text(values[~inside][0])}; "
                "correct the scores or give their real scale"
            )
        return np.asarray((values - self.low) / (self.high - self.low))

    def from_unit(self, unit_scores: ArrayLike) -> NDArray[np.float64]:
        """Unit scores as scores of this scale; never changes their order.

        Args:
            unit_scores: any shape, each in [0, 1]; up to 1e-9 beyond counts as rounding and is clipped.

        Returns:
            the same shape, in [low, high]: low for 0 and high for 1, exactly.

        Raises:
            ScaleError: a unit score is NaN or lies outside [0, 1].
        """
        units = np.asarray(unit_scores, dtype=np.float64)
        inside = (units >= -_ROUNDING) & (units <= 1 + _ROUNDING)
        if not inside.all():
            raise ScaleError(
                f"{_count(~inside)} outside the unit scale 0..1, the first is {_text(units[~inside][0])}; "
                "clip predictions to [0, 1] before turning them into scores"
            )
        # Each step is monotone in floating point; the weighted mean of the two ends would not be.
        scores = np.clip(self.low + units * (self.high - self.low), self.low, self.high)
        return np.where(units >= 1, self.high, scores)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The scale written as ``1..5``, ``1-5``, ``1:5`` or ``1,5``; ends may be negative (``-2:2``).

        Raises:
            ScaleError: the text is not two numbers, or they are no scale.
        """
        match = _PAIR.fullmatch(text)
        if match is None:
            raise ScaleError(f"the scale {text!r} is not two numbers; write it as LOW..HIGH, such as 1..5")
        return cls(float(match[1]), float(match[2]))

    def to_json(self) -> list[float]:
        """The two ends as ``[low, high]``."""
        return [self.low, self.high]

    @classmethod
    def from_json(cls, value: object) -> Self:
        """The scale that ``to_json`` wrote; a tuple will do.

        Raises:
            ScaleError: the value is not a list of two numbers, or they are no scale.
        """
        if not isinstance(value, Sequence) or isinstance(value, str | bytes) or len(value) != 2:
            raise ScaleError(
                f"the scale {value!r} is not a list of two numbers; write [LOW, HIGH], such as [1, 5]"
            )
        return cls(value[0], value[1])

    def __str__(self) -> str:
        return f"{_text(self.low)}..{_text(self.high)}"


def _as_float(name: str, value: float) -> float:
    """The end as a finite Python float."""
    try:
        number = float(value)
    except OverflowError:  # An int of more than 308 digits.
        number = math.inf
    if not math.isfinite(number):
        raise ScaleError(
            f"the scale's {name} end is {number}, expected a finite number; give ends such as 1 and 5"
        )
    return number


def _count(outside: NDArray[np.bool_]) -> str:
    """How many of how many scores are meant, as the subject of a sentence."""
    n_outside = int(np.count_nonzero(outside))
    return f"{n_outside} of {outside.size} {'score lies' if outside.size == 1 else 'scores lie'}"


def _text(value: float) -> str:
    """The shortest text that reads back as the same number; whole numbers without a point."""
    # Above 1e15 the digits of a whole number are longer than its exponent form.
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))
