"""One painter for each kind of scene."""

from __future__ import annotations

from collections.abc import Callable

from piaa.demo.canvas import Canvas
from piaa.demo.painters.city_night import paint_city_night
from piaa.demo.painters.forest import paint_forest
from piaa.demo.painters.meadow import paint_meadow
from piaa.demo.painters.mountains import paint_mountains
from piaa.demo.painters.portrait import paint_portrait
from piaa.demo.painters.seaside import paint_seaside
from piaa.demo.painters.still_life import paint_still_life
from piaa.demo.painters.street import paint_street

PAINTERS: dict[str, Callable[[Canvas], None]] = {
    "seaside": paint_seaside,
    "mountains": paint_mountains,
    "forest": paint_forest,
    "city night": paint_city_night,
    "meadow": paint_meadow,
    "still life": paint_still_life,
    "street": paint_street,
    "portrait": paint_portrait,
}
"""Kind of scene -> what paints it on a fresh canvas."""
