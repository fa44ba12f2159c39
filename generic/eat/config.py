"""What an EAT network is made of, as one frozen record; the same numbers go into a model file's header."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from generic.errors import ShapeError

LETTERS = "LSDE"
"""L windows, S shifted windows, D deformable attention of DAT, E enhanced attention."""

PER_STAGE = (
    *("heads", "groups", "windows", "k_in", "k_offset", "depthwise_mlp"),
    *("offsets", "offset_range", "final", "bias"),
)
"""Fields that may differ between stages."""

CHOICES = {
    "rotate": ("point", "image", "batch", "none"),
    "offset_unit": ("map", "cell"),
    "final": ("tanh", "clamp", "none"),
    "bias": ("aligned", "edges", "depthwise", "pairs", "none"),
}
"""Fields that are words, and the words that they take."""


@dataclass(frozen=True, kw_only=True)
class EATConfig:
    """An EAT network. Fields that may differ between stages take one value for all, or one per stage."""

    img_size: int = 224
    """Side of the input square in pixels."""
    in_chans: int = 3
    """Channels of the input."""
    num_classes: int = 10
    """Outputs: bins of the distribution of ratings (AVA: 10), or 1 for a score. 0 leaves the head out."""
    patch_size: int = 4
    """Side of a patch in pixels: the stride of the first map."""
    dims: Sequence[int] = (96, 192, 384, 768)
    """Channels of each stage."""
    stages: Sequence[str] = ("LS", "LS", "EEEEEE", "EE")
    """One letter for each block of each stage, see ``LETTERS``; :func:`generic.eat.layouts.stage_letters`
    writes them."""
    heads: Sequence[int] | int = (3, 6, 12, 24)
    """Attention heads."""
    groups: Sequence[int] | int = (1, 1, 3, 6)
    """Offset groups of D and E blocks."""
    windows: Sequence[int] | int = 7
    """Side of a window in positions, for L and S blocks."""
    k_in: Sequence[int] | int = (8, 8, 8, 1)
    """Kernel of the interest convolution: (side - k_in + 1)^2 points."""
    k_offset: Sequence[int] | int = (9, 7, 5, 3)
    """Kernel of the depthwise offset convolution, odd."""
    mlp_ratio: float = 4.0
    """Hidden channels of an MLP over the stage's channels."""
    depthwise_mlp: Sequence[bool] | bool = False
    """A 3x3 depthwise convolution inside the MLP."""
    stem_dim: int | None = None
    """Channels of the patch embedding; None: as the first stage."""
    conv_patches: bool = False
    """Overlapping convolutions (7x7, and 3x3 between stages) instead of patches."""

    interest: bool = True
    """Interest Generation in E blocks (Table 5)."""
    grid_start: bool = True
    """Learned points begin as a regular grid."""
    over_batch: bool = False
    """Points averaged over the batch, as the released network has them: scores then depend on the batch."""
    offsets: Sequence[bool] | bool = True
    """Offset Generation in E and D blocks (Table 5)."""
    guide: bool = True
    """Offset Guidance in E blocks (Table 5)."""
    eta: float = 0.25
    """Weight of an offset out of its point's quadrant (eq. 7)."""
    rotate: Literal["point", "image", "batch", "none"] = "point"
    """What shares a random angle while training (eq. 9)."""
    offset_range: Sequence[float | None] | float | None = 1.0
    """Amplitude of E's offsets; None: unbounded."""
    offset_unit: Literal["map", "cell"] = "map"
    """Unit of ``offset_range``: half of the map, or half of a grid cell."""
    final: Sequence[str] | str = "tanh"
    """What keeps positions on the map: ``tanh``, ``clamp`` or ``none``."""
    bias: Sequence[str] | str = "aligned"
    """Position bias of D and E blocks, see :class:`generic.eat.attention.DeformableAttention`."""

    drop_rate: float = 0.0
    """Probability of leaving out a feature while training."""
    attn_drop_rate: float = 0.0
    """Probability of leaving out an attention weight while training."""
    drop_path_rate: float = 0.0
    """Probability of leaving out the last block's branches for an image while training; from 0 it grows
    with depth."""

    def __post_init__(self) -> None:
        # JSON knows no tuples; a config read back must equal the one that was written.
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, list):
                object.__setattr__(self, field.name, tuple(value))
        problems = list(self._problems())
        if problems:
            raise ShapeError(f"EAT cannot be built: {'; '.join(problems)}")

    def _problems(self) -> list[str]:
        n = len(self.dims)
        problems = []
        if len(self.stages) != n:
            problems.append(f"{n} dims but {len(self.stages)} stages")
        for index, letters in enumerate(self.stages):
            wrong = sorted(set(letters) - set(LETTERS))
            if wrong or not letters:
                problems.append(f"stage {index + 1} is {letters!r}, expected letters out of {LETTERS}")
        for name in PER_STAGE:
            value = getattr(self, name)
            if isinstance(value, tuple) and len(value) != n:
                problems.append(f"{name} has {len(value)} values for {n} stages")
        for name, words in CHOICES.items():
            value = getattr(self, name)
            wrong = sorted(set(value if isinstance(value, tuple) else (value,)) - set(words))
            problems += [f"{name} {word!r} is unknown, expected one of {', '.join(words)}" for word in wrong]
        return problems or self._size_problems()

    def _size_problems(self) -> list[str]:
        unit = self.size_unit
        if self.img_size >= unit and self.img_size % unit == 0:
            return []
        below, above = self.img_size // unit * unit, -(-self.img_size // unit) * unit
        nearest = " and ".join(str(size) for size in sorted({max(below, unit), max(above, unit)}))
        return [
            f"img_size {self.img_size} does not divide into patches, stages and windows; "
            f"the nearest sizes that do: {nearest}"
        ]

    def of_stage(self, name: str, stage: int) -> Any:  # noqa: ANN401
        """The value of field ``name`` in a stage (counted from 0)."""
        value = getattr(self, name)
        return value[stage] if isinstance(value, tuple) else value

    @property
    def size_unit(self) -> int:
        """Every valid ``img_size`` is a multiple of this: patches, halvings between stages, windows."""
        units: list[int] = [self.patch_size * 2 ** (len(self.dims) - 1)]
        for stage, letters in enumerate(self.stages):
            if set(letters) & {"L", "S"}:
                units.append(self.patch_size * 2**stage * self.of_stage("windows", stage))
        return math.lcm(*units)

    def map_side(self, stage: int) -> int:
        """Side of the square map of a stage, in positions."""
        side: int = self.img_size // (self.patch_size * 2**stage)
        return side
