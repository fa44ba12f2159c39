"""What can be said about one photo before looking at it."""

from __future__ import annotations

from dataclasses import dataclass, fields

KINDS = ("seaside", "mountains", "forest", "city night", "meadow", "still life", "street", "portrait")
"""The kinds of scene that can be painted."""

TILT_LIMIT = 10.0
"""The largest tilt of the camera, in degrees: what the border around the frame can hide."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What can be said about one photo; every number lies in [0, 1] unless stated."""

    kind: str
    """One of `KINDS`."""
    light: float
    """From dusk (0) to bright day (1)."""
    warmth: float
    """From blue (0) to golden (1)."""
    saturation: float
    """From nearly grey (0) to garish (1)."""
    contrast: float
    """From flat (0) to harsh (1)."""
    sharpness: float
    """From badly out of focus (0) to crisp (1)."""
    clutter: float
    """From only the subject (0) to many things that distract from it (1)."""
    fog: float
    """From clear air (0) to thick fog (1)."""
    horizon: float
    """Height of the horizon above the lower edge of the frame."""
    subject: float
    """Position of the main subject, from the left (0) to the right edge (1)."""
    tilt: float
    """Degrees by which the camera leans, in [-10, 10]; positive lifts the right side of the horizon."""
    detail: int
    """Seed of everything that has no name: this cloud, that window."""

    def __post_init__(self) -> None:
        wrong = [] if self.kind in KINDS else [f"kind={self.kind!r} is not one of {', '.join(KINDS)}"]
        for name in UNIT_PROPERTIES:
            if not 0.0 <= getattr(self, name) <= 1.0:
                wrong.append(f"{name}={getattr(self, name)} is outside [0, 1]")
        if not abs(self.tilt) <= TILT_LIMIT:
            wrong.append(f"tilt={self.tilt} is outside [-{TILT_LIMIT:g}, {TILT_LIMIT:g}] degrees")
        if wrong:
            raise ValueError(f"impossible scene: {'; '.join(wrong)}; give values inside the ranges")

    @property
    def thirds(self) -> float:
        """How near the subject is to a line of thirds: 1 on it, 0 in the middle or at an edge."""
        return max(0.0, 1.0 - 6.0 * abs(abs(self.subject - 0.5) - 1.0 / 6.0))


UNIT_PROPERTIES = tuple(f.name for f in fields(Scene) if f.name not in ("kind", "tilt", "detail"))
"""Names of the properties that lie in [0, 1]."""
