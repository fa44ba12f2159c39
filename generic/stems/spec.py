"""What somebody else's network is given and gives, in a small TOML file.

size = 224                                  # side of the square that it looks at, pixels
mean = [0.48145466, 0.4578275, 0.40821073]  # subtracted, by channel: red, green, blue
std = [0.26862954, 0.26130258, 0.27577711]  # divided by
range = [0, 1]         # what black and white are before mean and std; this is the default
layout = "NCHW"        # or "NHWC"; this is the default
input = "pixel_values" # only if it has several
output = "image_embeds"
licence = "MIT"
citation = "Radford et al., ICML 2021"
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from generic.errors import CheckpointError
from generic.photos.find import printable

SIZES = (8, 1024)
"""Least and greatest side, pixels."""
_REQUIRED = ("size", "mean", "std", "licence")
_TEXTS = ("input", "output", "licence", "citation")
_KNOWN = (*_REQUIRED, "range", "layout", "input", "output", "citation")
_LONGEST = 2_000
"""Characters of a text."""


@dataclass(frozen=True, kw_only=True)
class Spec:
    """Preprocessing of a network, and which of its ends are meant."""

    size: int
    """Side of the square that it looks at, pixels."""
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    range: tuple[float, float] = (0.0, 1.0)
    """What black and white become before mean and std."""
    layout: Literal["NCHW", "NHWC"] = "NCHW"
    input: str = ""
    """Name of the input; empty: it has one."""
    output: str = ""
    """Name of the output; empty: it has one."""
    licence: str
    citation: str = ""


def read_spec(path: Path) -> Spec:
    """The specification in a file.

    Raises:
        CheckpointError: the file cannot be read, or says something impossible; all of it is told at once.
    """
    shown = printable(str(path))
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CheckpointError(
            f"{shown} cannot be read as TOML ({' '.join(str(reason).split())}); docs/models.md shows one"
        ) from error
    if problems := _problems(content):
        raise CheckpointError(f"{shown}: {'; '.join(problems)}; docs/models.md shows such a file")
    for key in ("mean", "std", "range"):
        if key in content:
            content[key] = tuple(float(number) for number in content[key])
    return Spec(**content)


def _problems(content: Mapping[str, Any]) -> list[str]:
    found = [f"{key} is missing" for key in _REQUIRED if key not in content]
    found += [f"{key} is not known, expected {', '.join(_KNOWN)}" for key in content if key not in _KNOWN]
    size = content.get("size", SIZES[0])
    if not _is(size, int) or not SIZES[0] <= size <= SIZES[1]:
        found.append(f"size is {size!r}, expected pixels from {SIZES[0]} to {SIZES[1]}")
    for key, n in (("mean", 3), ("std", 3), ("range", 2)):
        if key in content and not _numbers(content[key], n):
            found.append(f"{key} is {content[key]!r}, expected {n} finite numbers")
    if _numbers(content.get("std"), 3) and min(content["std"]) <= 0:
        found.append(f"std is {content['std']!r}, expected numbers above 0")
    if _numbers(content.get("range"), 2) and content["range"][0] >= content["range"][1]:
        found.append(f"range is {content['range']!r}, expected black below white")
    if content.get("layout", "NCHW") not in ("NCHW", "NHWC"):
        found.append(f"layout is {content['layout']!r}, expected NCHW or NHWC")
    return found + [
        f"{key} is {str(content[key])[:40]!r}, expected a text of 1 to {_LONGEST} characters"
        for key in _TEXTS
        if key in content
        and not (isinstance(content[key], str) and 0 < len(content[key].strip()) <= _LONGEST)
    ]


def _numbers(value: object, n: int) -> bool:
    return (
        isinstance(value, list)
        and len(value) == n
        and all(_is(number, int | float) and math.isfinite(cast("float", number)) for number in value)
    )


def _is(value: object, kind: Any) -> bool:  # noqa: ANN401 - a type or a union of types
    return isinstance(value, kind) and not isinstance(value, bool)
