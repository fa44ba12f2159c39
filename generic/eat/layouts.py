"""EAT's layouts by the names that the paper gives them, and the presets.

Table 4 names a layout by four letters, one a stage: S (windows, plain and shifted in turn), D (DAT's
deformable attention), E (enhanced attention). Table 5 takes mechanisms out of ``SSEE``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from generic.errors import ShapeError

TABLE4 = (
    *("SSSS", "ESSS", "EESS", "EEES"),
    *("DDDD", "EDDD", "EEDD", "EEED"),
    *("EEEE", "SEEE", "SSEE", "SSSE"),
)
"""The twelve layouts of Table 4, in its order; ``SSEE`` is EAT."""

TABLE5: Mapping[str, Mapping[str, bool]] = {
    "full": {},
    "no interest": {"interest": False},
    "no guide": {"guide": False},
    "no offsets, no guide": {"offsets": False, "guide": False},
    "no interest, no offsets, no guide": {"interest": False, "offsets": False, "guide": False},
}
"""What each row of Table 5 takes out."""


def stage_letters(layout: str, depths: Sequence[int], *, alternate: bool = False) -> tuple[str, ...]:
    """Letters for every block of every stage.

    Args:
        layout: one letter for each stage, S, D or E, as in Table 4.
        depths: blocks of each stage.
        alternate: between a plain window and each deformable block, as DAT and the released EAT do;
            else every block of a D or E stage is deformable, as the paper says.

    Raises:
        ShapeError: another letter, or not one for each stage.

    Example:
        >>> stage_letters("SSEE", (2, 2, 6, 2))
        ('LS', 'LS', 'EEEEEE', 'EE')
        >>> stage_letters("SSEE", (2, 2, 6, 2), alternate=True)
        ('LS', 'LS', 'LELELE', 'LE')
    """
    if len(layout) != len(depths) or set(layout) - set("SDE"):
        raise ShapeError(f"layout {layout!r} needs {len(depths)} letters out of S, D and E, such as 'SSEE'")

    def letters(letter: str, depth: int) -> str:
        pair = "L" + letter if letter == "S" or alternate else letter * 2
        return (pair * depth)[:depth]

    return tuple(letters(letter, depth) for letter, depth in zip(layout, depths, strict=True))


SIZES: Mapping[str, Mapping[str, Any]] = {
    "tiny": {
        "dims": (96, 192, 384, 768),
        "heads": (3, 6, 12, 24),
        "groups": (1, 1, 3, 6),
        "drop_path_rate": 0.2,
    },
    "small": {
        "dims": (96, 192, 384, 768),
        "heads": (3, 6, 12, 24),
        "groups": (1, 1, 3, 6),
        "drop_path_rate": 0.3,
    },
    "base": {
        "dims": (128, 256, 512, 1024),
        "heads": (4, 8, 16, 32),
        "groups": (1, 2, 4, 8),
        "drop_path_rate": 0.5,
    },
}
"""Widths of the three sizes, those of DAT; base is the paper's."""

DEPTHS: Mapping[str, tuple[int, ...]] = {"tiny": (2, 2, 6, 2), "small": (2, 2, 18, 2), "base": (2, 2, 18, 2)}
"""Blocks of each stage of the three sizes."""

RESOLUTIONS: Mapping[int, Mapping[str, Any]] = {
    224: {"windows": 7, "k_in": (8, 8, 8, 1)},
    512: {"windows": 8, "k_in": 8},
    640: {"windows": 10, "k_in": 8},
}
"""What the three input sizes of Table 1 change. 7 divides no map of 512 or 640 pixels; at 224 the last
map, 7 x 7, is smaller than the kernel of 8."""

RELEASED: Mapping[str, Any] = {
    "k_in": 1,
    "grid_start": False,
    "offset_range": 2.0,
    "offset_unit": "cell",
    "final": "none",
    "bias": "edges",
    "rotate": "none",
}
"""The arithmetic of the released code, but for the mean over the batch."""


def preset(
    size: str, *, resolution: int = 224, layout: str = "SSEE", alternate: bool = False
) -> dict[str, Any]:
    """Keyword arguments of :class:`generic.eat.config.EATConfig` for a preset.

    Args:
        size: ``tiny``, ``small`` or ``base``.
        resolution: 224, 512 or 640 pixels.
        layout: of the four stages, see ``TABLE4``.
        alternate: see :func:`stage_letters`.

    Raises:
        ShapeError: an unknown layout.
    """
    stages = stage_letters(layout, DEPTHS[size], alternate=alternate)
    return {"img_size": resolution, "stages": stages, **SIZES[size], **RESOLUTIONS[resolution]}
