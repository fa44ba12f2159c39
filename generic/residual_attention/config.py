"""What a Residual Attention Network is made of, as one frozen record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal, get_args

from generic.errors import ShapeError

Unit = Literal["bottleneck", "resnext", "inception"]
"""Kinds of residual units, see :mod:`generic.residual_attention.residual_units`."""
EXPANSION = 4
"""Channels of a bottleneck's output over those of its 3x3 convolution, as in ResNet."""
CARDINALITY = 32
"""Groups of a ResNeXt unit's 3x3 convolution."""
_MULTIPLES: dict[str, int] = {"bottleneck": EXPANSION, "resnext": 2 * CARDINALITY, "inception": 8}
"""What a stage's channels must be a multiple of."""


@dataclass(frozen=True, kw_only=True)
class ResidualAttentionConfig:
    """A Residual Attention Network; the defaults are Attention-56 of the paper's Table 2."""

    in_chans: int = 3
    """Channels of the input."""
    num_classes: int = 10
    """Outputs: bins of the distribution of ratings, or 1 for a score. 0 leaves the head out."""
    stem_dim: int = 64
    """Channels after the first convolution."""
    dims: Sequence[int] = (256, 512, 1024, 2048)
    """Channels of each stage, a multiple of 4 (``resnext``: 64, ``inception``: 8)."""
    modules: Sequence[int] = (1, 1, 1, 0)
    """Attention modules of each stage, after the unit that enters it."""
    poolings: Sequence[int] = (3, 2, 1, 0)
    """How often a mask branch halves its map in each stage; at least 1 where there are modules."""
    tail: int = 2
    """Units at the end of the last stage, beside the one that enters it."""
    pre: int = 1
    """p: units before a module's branches part, and again after they join."""
    trunk: int = 2
    """t: units of the trunk branch."""
    between: int = 1
    """r: units between two poolings of the mask branch."""
    residual: bool = True
    """H = (1 + M) T, attention residual learning (eq. 3); else H = M T, naive (eq. 1)."""
    unit: Unit = "bottleneck"
    """Kind of all residual units."""
    drop_rate: float = 0.0
    """Probability of leaving out a feature before the head while training."""

    def __post_init__(self) -> None:
        # JSON knows no tuples; a config read back must equal the one that was written.
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, list):
                object.__setattr__(self, field.name, tuple(value))
        if problems := self._problems():
            raise ShapeError(f"a Residual Attention Network cannot be built: {'; '.join(problems)}")

    def _problems(self) -> list[str]:
        n = len(self.dims)
        problems = [
            f"{name} has {len(getattr(self, name))} values for {n} stages"
            for name in ("modules", "poolings")
            if len(getattr(self, name)) != n
        ]
        problems += [
            f"{name} is {getattr(self, name)}, expected {least} or more"
            for name, least in (
                *(("in_chans", 1), ("num_classes", 0), ("stem_dim", 1)),
                *(("tail", 0), ("pre", 0), ("trunk", 1), ("between", 1)),
            )
            if getattr(self, name) < least
        ]
        if self.unit not in get_args(Unit):
            problems.append(f"unit is {self.unit!r}, expected one of {', '.join(get_args(Unit))}")
        multiple = _MULTIPLES.get(self.unit, 1)
        problems += [
            f"stage {index} has {dim} channels, expected a multiple of {multiple}"
            for index, dim in enumerate(self.dims, 1)
            if dim < 1 or dim % multiple
        ]
        problems += [
            f"stage {index} has {count} modules with {times} poolings, expected 1 or more poolings for 1 or "
            "more modules"
            for index, (count, times) in enumerate(zip(self.modules, self.poolings, strict=False), 1)
            if count < 0 or times < 0 or (count and not times)
        ]
        return problems

    @property
    def trunk_depth(self) -> int:
        """Layers with weights along the trunk: 56 and 92 give the presets their names."""
        units = sum(count * (2 * self.pre + self.trunk) for count in self.modules)
        return 3 * (units + len(self.dims) + self.tail) + 2
