"""One picture of what a generic model saw: its attention's points beside the heat map of its score.

The page is light neutral grey, because a colour beside a photo changes how the
photo is seen. Sizes are in pixels of the picture. Pillow alone draws; neither torch nor the network is
needed, and the same explanation gives the same bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from generic.atomic import atomic_path
from generic.errors import OutputError
from generic.photos.find import printable

if TYPE_CHECKING:
    from generic.explain.explanation import Explanation, LayerAttention

DRAWN_BY = "piaa explain"
"""In the picture's EXIF, by which it is known again."""
_SOFTWARE = 0x0131  # EXIF's tag for the program that made a picture
FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
HEAT_NOTE = "The brightest parts raised it most; grey parts did nothing or lowered it (HiResCAM)."

PAGE, INK = (240, 240, 240), (38, 38, 38)
"""Colours of the page and of its letters, RGB."""

Box = tuple[int, int, int, int]

_SIDE = 900  # Width of each half, and longer side of the photo in it; smaller photos are enlarged.
_MARGIN, _GAP, _ABOVE, _BELOW = 64, 48, 78, 116
_HEADING, _NOTE, _CAPTION = 34, 22, 28
_LONGEST = 400  # Characters of one line that are looked at; no page holds more.
_FADED = (112, 112, 112)

_COVER = 0.09
"""Share of the photo's area that all circles together would cover, were there no overlaps."""
_FINE = 3  # Circles are drawn this much larger, then averaged down: Pillow's own have jagged edges.
_DISC, _RIM = (255, 149, 0, 105), (255, 255, 255, 235)

# Lightness rises all the way, so that the ramp also works in print and for the colour-blind.
_RAMP = np.array(
    [(70, 20, 110), (140, 35, 110), (200, 60, 80), (240, 110, 35), (251, 185, 30), (253, 250, 170)],
    np.float32,
)


def check_output(out: Path, *, photo: Path) -> None:
    """Refuse an output file that could not or must not be written, before the work and not after it.

    Raises:
        OutputError: the suffix is none of ``FORMATS``, the folder does not exist, or the file is there and
            was not drawn here: it may be a photo.
    """
    if out.suffix.lower() not in FORMATS:
        raise OutputError(
            f"cannot write {out}: the suffix {out.suffix!r} is no picture format; "
            f"name a file that ends in {', '.join(FORMATS)}"
        )
    if not out.absolute().parent.is_dir():
        raise OutputError(
            f"cannot write {out}: the folder {out.absolute().parent} does not exist; create it first"
        )
    if out.exists() and photo.exists() and out.samefile(photo):
        raise OutputError(
            f"cannot write {out}: it is the photo itself, which would be lost; name another file"
        )
    if out.is_file() and not _is_drawn(out):
        raise OutputError(
            f"cannot write {out}: it is there, and no picture that piaa explain drew; name another file"
        )


def _is_drawn(file: Path) -> bool:
    try:
        with Image.open(file) as picture:
            return picture.getexif().get(_SOFTWARE) == DRAWN_BY
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False


def draw(explanation: Explanation, out: Path) -> None:
    """Write the picture, whole or not at all; its format is that of the suffix.

    Raises:
        OutputError: as :func:`check_output`, or the file cannot be written.
    """
    check_output(out, photo=explanation.path)
    page = draw_page(explanation)
    exif = Image.Exif()
    exif[_SOFTWARE] = DRAWN_BY
    with atomic_path(out) as temporary:
        page.save(temporary, format=FORMATS[out.suffix.lower()], quality=92, exif=exif)


def draw_page(explanation: Explanation) -> Image.Image:
    """The picture that `draw` writes, in RGB: points on the left, heat on the right, a caption below."""
    (left, top, right, bottom), (middle, _, _, _) = photo_boxes(explanation)
    photo = Image.fromarray(explanation.photo).resize((right - left, bottom - top), Image.Resampling.LANCZOS)
    layer = shown_layer(explanation)
    page = Image.new("RGB", (2 * (_MARGIN + _SIDE) + _GAP, bottom + _BELOW), PAGE)
    pen = ImageDraw.Draw(page)
    heading = "The photo" if layer is None else "Where its attention looked"
    _write(pen, (left, _MARGIN - 16), heading, _HEADING, INK)
    _write(pen, (left, _MARGIN + 34), points_note(explanation), _NOTE, _FADED)
    page.paste(photo if layer is None else _with_points(photo, layer), (left, top))
    _write(pen, (middle, _MARGIN - 16), "What raised its score", _HEADING, INK)
    _write(pen, (middle, _MARGIN + 34), HEAT_NOTE, _NOTE, _FADED)
    page.paste(with_heat(photo, explanation.cam), (middle, top))
    _write(pen, (left, bottom + 28), caption(explanation), _CAPTION, INK, room=2 * _SIDE + _GAP)
    return page


def photo_boxes(explanation: Explanation) -> tuple[Box, Box]:
    """Where the photo lies on the page, left and right: each (left, top, right, bottom) in pixels.

    Its longer side is exactly ``_SIDE``, its shape is kept.
    """
    rows, columns = explanation.photo.shape[:2]
    scale = _SIDE / max(rows, columns)
    width, height = max(1, round(columns * scale)), max(1, round(rows * scale))
    top, middle = _MARGIN + _ABOVE, _MARGIN + _SIDE + _GAP
    return (_MARGIN, top, _MARGIN + width, top + height), (middle, top, middle + width, top + height)


def caption(explanation: Explanation) -> str:
    """Model and score, and what the score were without the attention that the points show.

    Attention can look busy and hardly matter; only the second number tells.
    """
    low, high = explanation.scale
    text = f"{printable(explanation.model)}: score {explanation.score:.3f} on {low:g}..{high:g}"
    if explanation.score_without is None:
        return text
    return f"{text}; {explanation.score_without:.3f} without its attention"


def shown_layer(explanation: Explanation) -> LayerAttention | None:
    """The last deformable layer that had a choice, or simply the last; None if there is none.

    Deep layers see the photo's content, early ones its texture. A layer of one point for each group
    gives it all attention, whatever it shows.
    """
    choosing = [layer for layer in explanation.layers if layer.point_weights.shape[1] > 1]
    candidates = choosing or explanation.layers
    return candidates[-1] if candidates else None


def radii(layer: LayerAttention, size: tuple[int, int]) -> NDArray[np.float64]:
    """Radius in pixels of each point's circle on a photo of (width, height): shape (g, n).

    A circle's area is proportional to its point's attention.
    """
    area = _COVER * size[0] * size[1] * layer.point_weights.astype(np.float64) / len(layer.point_weights)
    return np.asarray(np.sqrt(area / np.pi))


def points_note(explanation: Explanation) -> str:
    """The line above the points: which they are, and how unequal their shares of the attention."""
    layer = shown_layer(explanation)
    if layer is None:
        return "no deformable layers"
    groups, n = layer.point_weights.shape
    number = explanation.layers.index(layer) + 1
    points = f"{groups} x {n} points" if groups > 1 else f"{n} points"
    outside = int(((layer.places < 0) | (layer.places > 1)).any(-1).sum())
    beyond = f", {outside} outside" if outside else ""
    least, most = 100 * layer.point_weights.min(), 100 * layer.point_weights.max()
    return (
        f"Layer {number} of {len(explanation.layers)}: {points}{beyond}. "
        f"Circle area: its attention, {least:.1f} to {most:.1f} %."
    )


def _with_points(photo: Image.Image, layer: LayerAttention) -> Image.Image:
    """The photo under a layer's circles."""
    fine = (photo.width * _FINE, photo.height * _FINE)
    sheet = Image.new("RGBA", fine, (255, 255, 255, 0))
    pen = ImageDraw.Draw(sheet)
    centres, sizes = layer.places.reshape(-1, 2) * fine, radii(layer, fine).ravel()
    # The largest first, so that none hides another.
    for index in np.argsort(-sizes, kind="stable"):
        (x, y), r = centres[index], sizes[index]
        pen.ellipse((x - r, y - r, x + r, y + r), fill=_DISC, outline=_RIM, width=2 * _FINE)
    covered = photo.convert("RGBA")
    covered.alpha_composite(sheet.resize(photo.size, Image.Resampling.BOX))
    return covered.convert("RGB")


def with_heat(photo: Image.Image, cam: NDArray[np.float32]) -> Image.Image:
    """The photo in grey, and over it the heat in colour: nothing where it is 0.

    Args:
        photo: RGB.
        cam: any shape (rows, columns), in [0, 1]; stretched over the photo.
    """
    heat = np.asarray(Image.fromarray(cam).resize(photo.size, Image.Resampling.BICUBIC), np.float32).clip(
        0, 1
    )
    steps = np.linspace(0, 1, len(_RAMP))
    colour = np.stack([np.interp(heat, steps, _RAMP[:, channel]) for channel in range(3)], -1)
    grey = np.asarray(photo.convert("L"), np.float32)[..., None]
    strength = 0.85 * heat[..., None] ** 0.75
    return Image.fromarray(np.rint(grey * (1 - strength) + colour * strength).astype(np.uint8))


def _write(
    pen: ImageDraw.ImageDraw,
    at: tuple[int, int],
    text: str,
    size: int,
    ink: tuple[int, int, int],
    *,
    room: int = _SIDE,
) -> None:
    """A line of text, at most ``room`` pixels wide; what is too long ends in dots."""
    font = ImageFont.load_default(size)
    shown = text = text[:_LONGEST]
    while font.getlength(shown) > room:
        text = text[:-1]
        shown = text.rstrip() + "..."
    pen.text(at, shown, font=font, fill=ink)
