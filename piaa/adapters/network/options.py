"""What can be set of a tuned network, by name: ``finetune@rate=1e-4@epochs=8@gate=none@part=last``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from generic.errors import PiaaError

Gate = Literal["average", "error", "none"]
Part = Literal["whole", "last"]


@dataclass(frozen=True, kw_only=True)
class TuneOptions:
    """What the person asked for; None is the adapter's own."""

    rate: float | None = None
    """Learning rate (Adam), above 0."""
    epochs: int | None = None
    """Most passes over the ratings, from 1."""
    gate: Gate = "average"
    """What cross-validation decides: how much the tuned network counts beside the generic one, ``average``;
    or whether it counts at all, by one standard ``error`` of its gain; or nothing: ``none`` is the network
    after its last epoch."""
    part: Part = "whole"
    """What is trained: the ``whole`` network, or the ``last`` quarter of its layers."""

    @classmethod
    def of(cls, name: str, given: Mapping[str, str]) -> TuneOptions:
        """From what follows an adapter's name.

        Raises:
            PiaaError: an option that there is not, or a value that it cannot have.
        """
        values = {key: _value(name, key, text) for key, text in given.items()}
        return cls(**values)  # type: ignore[arg-type]


def _value(name: str, key: str, text: str) -> object:
    kinds = {"rate": "a number above 0", "epochs": "a whole number from 1"}
    choices: dict[str, tuple[str, ...]] = {"gate": get_args(Gate), "part": get_args(Part)}
    expected = kinds.get(key) or ", ".join(choices.get(key, ()))
    if not expected:
        raise PiaaError(
            f"adapter {name!r} has no option {key!r}; choose among {', '.join((*kinds, *choices))}"
        )
    try:
        value = text if key in choices else int(text) if key == "epochs" else float(text)
    except ValueError:
        value = 0
    good = value in choices[key] if key in choices else isinstance(value, (int, float)) and 0 < value < 1e6
    if not good:
        raise PiaaError(f"adapter {name!r} got {key}={text}; give {key} as {expected}")
    return value
