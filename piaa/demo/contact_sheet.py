"""Contact sheets: photos in titled rows, with a caption, a note and a number each, in one PNG.

The page is light neutral grey, because a colour beside a photo changes how the photo is seen; photos
keep their shape and are never cropped, because a crop changes the composition, which is what is judged.
Sizes are in pixels of the sheet and meant for a dense ("retina") screen or for paper.
"""

from __future__ import annotations

import logging
import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from generic.atomic import atomic_path
from generic.errors import ImageError, ShapeError
from generic.photos.open import open_rgb

logger = logging.getLogger(__name__)

Box = tuple[int, int, int, int]
_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_MARGIN, _GAP = 80, 32
_TITLE, _SUBTITLE, _HEADING, _CAPTION, _NOTE = 56, 28, 34, 26, 22
_TEXT_BELOW = 84  # Height of a tile's two lines of text.
_PAGE, _MAT, _RULE = (240, 240, 240), (226, 226, 226), (205, 205, 205)
_INK, _FADED, _UNREADABLE = (38, 38, 38), (112, 112, 112), (150, 150, 150)
_LONGEST = 400  # Characters of one line that are looked at; no column holds more.

# Looked for by name only where a text needs letters that Pillow's own font lacks.
_SYSTEM_FONTS = (
    *("DejaVuSans.ttf", "NotoSans-Regular.ttf", "NotoSansCJK-Regular.ttc", "Arial Unicode.ttf"),
    *("arialuni.ttf", "Arial.ttf", "arial.ttf", "msgothic.ttc"),
)
_FOLDED = str.maketrans(
    {"–": "-", "—": "-", "−": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "×": "x", "ß": "ss"}
)


@dataclass(frozen=True, kw_only=True)
class Item:
    """One photo of a sheet."""

    image: Path
    """The file; one that cannot be read becomes a grey tile."""
    caption: str
    """The line below the photo; ★ and ☆ are drawn as stars, what is too long ends in …"""
    note: str = ""
    """A second, fainter line."""
    badge: str = ""
    """A number or a few letters on the photo's corner, for choosing; empty for none."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """Some photos under a heading."""

    title: str
    """The heading."""
    items: Sequence[Item]
    """In reading order; may be empty, which the sheet then says."""


def contact_sheet(
    sections: Sequence[Section],
    out: Path,
    *,
    title: str,
    subtitle: str = "",
    columns: int = 5,
    thumb: tuple[int, int] = (360, 270),
) -> list[Path]:
    """Writes a contact sheet as PNG, whole or not at all.

    Args:
        sections: what to show, from top to bottom.
        out: the file to write; replaced if it exists.
        title: the sheet's heading.
        subtitle: a fainter line below it.
        columns: photos side by side, at least 1.
        thumb: (width, height) in pixels of the field that a photo must fit into, at least 48 each.

    Returns:
        the photos that could not be read, in the sheet's order; they are grey tiles on it.

    Raises:
        ShapeError: columns or thumb is too small.
        OutputError: the file cannot be written.
    """
    sheet, unreadable = draw_contact_sheet(
        sections, title=title, subtitle=subtitle, columns=columns, thumb=thumb
    )
    with atomic_path(out) as temporary:
        sheet.save(temporary, format="PNG")
    return unreadable


def draw_contact_sheet(
    sections: Sequence[Section],
    *,
    title: str,
    subtitle: str = "",
    columns: int = 5,
    thumb: tuple[int, int] = (360, 270),
) -> tuple[Image.Image, list[Path]]:
    """The sheet that `contact_sheet` writes, in RGB, and the photos that could not be read."""
    boxes = tile_boxes(sections, columns=columns, thumb=thumb)
    letters = _Lettering(_texts(sections, title, subtitle))
    width = 2 * _MARGIN + columns * thumb[0] + (columns - 1) * _GAP
    sheet = Image.new("RGB", (width, _page_height(sections, columns, thumb)), _PAGE)
    draw = ImageDraw.Draw(sheet)
    inner = width - 2 * _MARGIN
    letters.write(draw, (_MARGIN, _MARGIN), title, _TITLE, _INK, inner)
    letters.write(draw, (_MARGIN, _MARGIN + 74), subtitle, _SUBTITLE, _FADED, inner)
    unreadable = []
    for section, places, top in zip(sections, boxes, _tops(sections, columns, thumb), strict=True):
        draw.line((_MARGIN, top, width - _MARGIN, top), fill=_RULE, width=2)
        letters.write(draw, (_MARGIN, top + 22), section.title, _HEADING, _INK, inner)
        if not section.items:
            letters.write(draw, (_MARGIN, top + 84), "none", _CAPTION, _FADED, inner)
        for item, box in zip(section.items, places, strict=True):
            if not _place_photo(sheet, draw, letters, item, box):
                unreadable.append(item.image)
            letters.write(draw, (box[0], box[3] + 12), item.caption, _CAPTION, _INK, thumb[0])
            letters.write(draw, (box[0], box[3] + 46), item.note, _NOTE, _FADED, thumb[0])
            _badge(draw, letters, item.badge, box)
    return sheet, unreadable


def tile_boxes(
    sections: Sequence[Section], *, columns: int = 5, thumb: tuple[int, int] = (360, 270)
) -> list[list[Box]]:
    """Where each photo's field lies: per section, per item, (left, top, right, bottom) in pixels.

    Raises:
        ShapeError: columns or thumb is too small.
    """
    if columns < 1 or min(thumb) < 48:
        raise ShapeError(
            f"a contact sheet of {columns} columns with photos of {thumb[0]} x {thumb[1]} pixels cannot be "
            "drawn, expected at least 1 column and 48 x 48 pixels; give larger numbers"
        )
    width, height = thumb
    boxes = []
    for section, top in zip(sections, _tops(sections, columns, thumb), strict=True):
        places = []
        for index in range(len(section.items)):
            row, column = divmod(index, columns)
            x, y = _MARGIN + column * (width + _GAP), top + 84 + row * (height + _TEXT_BELOW + _GAP)
            places.append((x, y, x + width, y + height))
        boxes.append(places)
    return boxes


def _section_height(section: Section, columns: int, thumb: tuple[int, int]) -> int:
    rows = math.ceil(len(section.items) / columns)
    return 84 + (rows * (thumb[1] + _TEXT_BELOW + _GAP) if rows else 2 * _CAPTION + _GAP)


def _tops(sections: Sequence[Section], columns: int, thumb: tuple[int, int]) -> list[int]:
    """The y of each section's rule."""
    tops, y = [], _MARGIN + 140
    for section in sections:
        tops.append(y)
        y += _section_height(section, columns, thumb) + _GAP // 2
    return tops


def _page_height(sections: Sequence[Section], columns: int, thumb: tuple[int, int]) -> int:
    body = sum(_section_height(section, columns, thumb) + _GAP // 2 for section in sections)
    return _MARGIN + 140 + body + _MARGIN // 2


def _texts(sections: Sequence[Section], title: str, subtitle: str) -> Iterable[str]:
    yield from (title, subtitle)
    for section in sections:
        yield section.title
        for item in section.items:
            yield from (item.caption, item.note, item.badge)


def _place_photo(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, letters: _Lettering, item: Item, box: Box
) -> bool:
    """Whether the photo could be read; it is centred on its mat, or a grey tile stands for it."""
    left, top, right, bottom = box
    field = (right - left, bottom - top)
    try:
        photo = open_rgb(item.image, at_least=(2 * field[0], 2 * field[1]))
    except ImageError as error:
        logger.warning("contact sheet: %s", error)
        draw.rectangle((left, top, right - 1, bottom - 1), fill=_UNREADABLE)
        x = (left + right - letters.width("unreadable", _CAPTION)) / 2
        letters.write(draw, (x, (top + bottom) / 2 - _CAPTION / 2), "unreadable", _CAPTION, _PAGE, field[0])
        return False
    draw.rectangle((left, top, right - 1, bottom - 1), fill=_MAT)
    small = _fit(photo, field)
    sheet.paste(small, (left + (field[0] - small.width) // 2, top + (field[1] - small.height) // 2))
    return True


def _fit(photo: Image.Image, field: tuple[int, int]) -> Image.Image:
    """The photo as large as the field allows, its shape kept; small photos are enlarged."""
    scale = min(field[0] / photo.width, field[1] / photo.height)
    size = (max(1, round(photo.width * scale)), max(1, round(photo.height * scale)))
    return photo.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def _badge(draw: ImageDraw.ImageDraw, letters: _Lettering, text: str, box: Box) -> None:
    if not text:
        return
    span = min(letters.width(text, _HEADING), (box[2] - box[0]) / 2)
    left, top = box[0] + 12, box[1] + 12
    right = left + max(54.0, span + 30.0)
    draw.rounded_rectangle((left, top, right, top + 54), radius=27, fill=_PAGE, outline=_INK, width=2)
    letters.write(draw, ((left + right - span) / 2, top + 7), text, _HEADING, _INK, span + 1)


class _Lettering:
    """Writes lines of text, shortened to their place, in a font that has their letters if one is at hand."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._file: str | None = None
        self._fonts: dict[int, _Font] = {}
        # Sorted, so that the choice of a font does not depend on the order of a set.
        letters = sorted({letter for text in texts for letter in _one_line(text)} - set("★☆"))
        self._lacking = set(_lacking(self._font(_CAPTION), letters))
        folded = {piece for letter in self._lacking for piece in _fold(letter)}
        beyond = _lacking(self._font(_CAPTION), sorted(folded))
        if beyond:
            self._file = next((name for name in _SYSTEM_FONTS if _has(name, beyond)), None)
            self._lacking = self._lacking if self._file is None else set()
            self._fonts.clear()

    def width(self, text: str, size: int) -> float:
        """Width of a line in pixels."""
        return sum(self._run_width(run, size) for run in self._runs(text))

    def write(
        self,
        draw: ImageDraw.ImageDraw,
        at: tuple[float, float],
        text: str,
        size: int,
        ink: tuple[int, int, int],
        room: float,
    ) -> None:
        """Writes a line with its upper left corner at a point, at most `room` pixels wide."""
        x, y = at
        for run in self._runs(self._shorten(_one_line(text), size, room)):
            if run[0] in "★☆":
                for star in run:
                    points = _star(x + 0.46 * size, y + 0.60 * size, 0.46 * size)
                    draw.polygon(points, fill=ink if star == "★" else _RULE)
                    x += 0.96 * size
            else:
                draw.text((x, y), run, font=self._font(size), fill=ink)
                x += self._run_width(run, size)

    def _runs(self, text: str) -> list[str]:
        plain = "".join(_fold(letter) if letter in self._lacking else letter for letter in _one_line(text))
        return [run for run in re.split("([★☆]+)", plain) if run]

    def _run_width(self, run: str, size: int) -> float:
        return 0.96 * size * len(run) if run[0] in "★☆" else float(self._font(size).getlength(run))

    def _shorten(self, text: str, size: int, room: float) -> str:
        """The text, or its longest beginning that fits with an ellipsis."""
        if self.width(text, size) <= room:
            return text
        fits, too_long = 0, len(text)
        while too_long - fits > 1:
            middle = (fits + too_long) // 2
            if self.width(text[:middle].rstrip() + "…", size) <= room:
                fits = middle
            else:
                too_long = middle
        return text[:fits].rstrip() + "…"

    def _font(self, size: int) -> _Font:
        if size not in self._fonts:
            self._fonts[size] = (
                ImageFont.load_default(size) if self._file is None else ImageFont.truetype(self._file, size)
            )
        return self._fonts[size]


def _one_line(text: str) -> str:
    """Without line breaks and control characters, which a font would draw as boxes; not endless."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:_LONGEST])


def _fold(letter: str) -> str:
    """The nearest plain letters, "é" as "e"; the letter itself where there are none."""
    plain = unicodedata.normalize("NFKD", letter.translate(_FOLDED))
    return "".join(part for part in plain if not unicodedata.combining(part)) or letter


def _lacking(font: _Font, letters: Iterable[str]) -> list[str]:
    """The letters for which the font only has its box for unknown ones."""
    box = bytes(font.getmask("\uffff"))
    return [letter for letter in letters if bytes(font.getmask(letter)) == box]


def _has(name: str, letters: Sequence[str]) -> bool:
    try:
        return not _lacking(ImageFont.truetype(name, _CAPTION), letters)
    except OSError:  # Not installed here.
        return False


def _star(x: float, y: float, radius: float) -> list[tuple[float, float]]:
    """The ten corners of a star around a point."""
    corners = []
    for corner in range(10):
        angle, reach = math.pi * (corner / 5.0 - 0.5), radius * (1.0 if corner % 2 == 0 else 0.42)
        corners.append((x + reach * math.cos(angle), y + reach * math.sin(angle)))
    return corners
