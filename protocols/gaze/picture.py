"""Pictures of where people looked in a photo beside where models did: one row of panels a photo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from generic.atomic import atomic_path
from generic.errors import OutputError
from generic.explain.picture import INK, PAGE, with_heat
from generic.model.generic_model import GenericModel
from generic.photos.find import printable
from generic.photos.open import open_rgb
from generic.progress import Progress, no_progress
from protocols.gaze.attention import attention_maps
from protocols.gaze.fixations import Fixations
from protocols.gaze.maps import Map, fixation_map

_SIDE, _GAP, _TITLE = 360, 16, 40
PEOPLE = "where people looked"


def panels_of(
    models: Sequence[GenericModel], photo: Path, gaze: Fixations, *, pixels_per_degree: float
) -> dict[str, Map]:
    """People's map, then every map of every model, each of the photo's size.

    Args:
        models: generic models.
        photo: the file.
        gaze: on it.
        pixels_per_degree: media pixels in one degree of visual angle.
    """
    found = {PEOPLE: fixation_map(gaze, pixels_per_degree=pixels_per_degree)}
    for model in models:
        maps = attention_maps(model, photo, gaze.size, sigma=pixels_per_degree)
        found |= {f"{model.name}: {kind}": one for kind, one in maps.items()}
    return found


def draw_panels(photo: Image.Image, maps: Mapping[str, Map]) -> Image.Image:
    """The photo, and the photo under each map, in one row with titles; each map is scaled to its own range.

    Args:
        photo: RGB, of any size.
        maps: title -> map of the photo's size, at least 0.
    """
    scale = _SIDE / max(photo.size)
    size = (max(1, round(photo.width * scale)), max(1, round(photo.height * scale)))
    small = photo.resize(size, Image.Resampling.LANCZOS)
    shown = {"the photo": small} | {name: with_heat(small, _in_range(one)) for name, one in maps.items()}
    width = len(shown) * (size[0] + _GAP) + _GAP
    page = Image.new("RGB", (width, size[1] + _TITLE + _GAP), PAGE)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(18)
    for place, (name, panel) in enumerate(shown.items()):
        left = _GAP + place * (size[0] + _GAP)
        pen.text((left, 10), name, font=font, fill=INK)
        page.paste(panel, (left, _TITLE))
    return page


def draw_all(
    models: Sequence[GenericModel],
    gaze: Mapping[str, Fixations],
    photos: Path,
    out: Path,
    *,
    pixels_per_degree: float,
    progress: Progress = no_progress,
) -> None:
    """Write one picture for each photo, ``NAME.png`` with the photo's whole file name.

    Args:
        models: generic models.
        gaze: image -> its fixations.
        photos: the folder of the images.
        out: the folder to write into; created where it is missing.
        pixels_per_degree: media pixels in one degree of visual angle.
        progress: called with the number of photos newly done.

    Raises:
        OutputError: a picture cannot be written.
        ImageError: a photo cannot be read.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot write pictures into {printable(str(out))}: {error.strerror}; name a folder elsewhere"
        ) from error
    for image, fixations in gaze.items():
        maps = panels_of(models, photos / image, fixations, pixels_per_degree=pixels_per_degree)
        page = draw_panels(open_rgb(photos / image), maps)
        with atomic_path(out / f"{image}.png") as temporary:
            page.save(temporary, format="PNG")
        progress(1)


def _in_range(one: Map) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    spread = one.max() - one.min()
    flat = np.zeros(one.shape, np.float32)
    return flat if not spread > 0 else ((one - one.min()) / spread).astype(np.float32)
