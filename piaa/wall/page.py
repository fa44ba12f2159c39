"""The page of a wall: one HTML file that fetches nothing but its own photos, for any browser, as a file.

Every name is escaped, and a content security policy lets nothing run or load but what the page holds itself.
Without JavaScript it is the wall in its order; with it, the wall is ordered and filtered, and photos are
shown large.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path, PurePath
from urllib.parse import quote

from generic.photos.find import printable
from generic.words import counted
from piaa.people.score_table import SURE
from piaa.wall.thumbnails import Pictures
from piaa.wall.tile import Tile, Wall

GENERATOR = '<meta name="generator" content="piaa wall">'
"""By which a wall is known as one."""
_STARS = (1.0, 5.0)


def page(wall: Wall, pictures: Sequence[Pictures], folder: Path) -> str:
    """The page as HTML text.

    Args:
        wall: what to show.
        pictures: of each tile.
        folder: where the page will lie: photos are named relative to it.
    """
    style, script = _asset("wall.css"), _asset("wall.js")
    policy = (
        f"default-src 'none'; base-uri 'none'; form-action 'none'; img-src 'self' file:; "
        f"style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    )
    numbered = enumerate(zip(wall.tiles, pictures, strict=True), 1)
    tiles = "\n".join(_tile(wall, place, tile, files, folder) for place, (tile, files) in numbered)
    return "\n".join(
        (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            GENERATOR,
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{_text(wall.title)}</title>\n<style>{style}</style>\n</head>",
            f"<body>\n<header>\n<h1>{_text(wall.title)}</h1>\n<p>{_text(wall.about)}</p>",
            *_controls(wall),
            f'</header>\n<main>\n<div id="wall" class="tiles">\n{tiles}\n</div>\n</main>',
            *_skipped(wall),
            _DIALOG,
            f"<script>{script}</script>\n</body>\n</html>\n",
        )
    )


def _tile(wall: Wall, place: int, tile: Tile, files: Pictures, folder: Path) -> str:
    name = _text(tile.name)
    facts = {"place": place, "crowd": tile.crowd, "score": _number(tile.score), "own": _number(tile.own)}
    data = "".join(f' data-{key}="{value}"' for key, value in facts.items() if value not in (None, ""))
    width, height = files.size
    picture = (
        '<span class="unreadable">cannot be read</span>'
        if files.small is None
        else f'<img src="{files.small}" width="{width}" height="{height}" alt="{name}" loading="lazy" '
        'decoding="async">'
    )
    return (
        f'<figure{data}><a href="{address(tile.path, files, folder)}">{picture}</a><figcaption>'
        f"{''.join(_lines(wall, place, tile))}"
        f'<bdi class="name">{name}</bdi></figcaption></figure>'
    )


def _lines(wall: Wall, place: int, tile: Tile) -> Iterator[str]:
    """What is said of a photo beside its name."""
    yield f'<span class="place">{place:,}</span> '
    if tile.score is not None:
        within = "" if tile.low is None else f' title="{_trusted(tile)}"'
        yield f'<span class="score"{within}>{tile.score:.2f}</span> '
    if tile.own is not None:
        yield f"{_own(tile.own, wall)} "
    if tile.crowd is not None:
        moved = tile.crowd - place
        way = "up" if moved > 0 else "down" if moved < 0 else "same"
        words = f"{way} {abs(moved):,}" if moved else "same place"
        crowd = f'<span class="crowd">crowd {tile.crowd:,}</span>'
        yield f'<span class="line"><span class="moved {way}">{words}</span> {crowd}</span> '


def _trusted(tile: Tile) -> str:
    """How far the score may be trusted."""
    interval = f"80 % interval {tile.low:.2f} to {tile.high:.2f}"
    if tile.sure is None:
        return interval
    return f"{interval}, {100 * tile.sure:.0f} % sure" if tile.sure >= SURE else f"{interval}, unsure"


def _own(score: float, wall: Wall) -> str:
    said = f"{_text(wall.user or 'rated')} gave {score:g}" if wall.user else f"rated {score:g}"
    if wall.scale == _STARS and score == int(score):
        stars = "★" * int(score) + "☆" * (5 - int(score))
        return f'<span class="own" role="img" aria-label="{said}" title="{said}">{stars}</span>'
    return f'<span class="own">{said}</span>'


def _controls(wall: Wall) -> Iterator[str]:
    """What orders and filters the wall; hidden until the script is there."""
    if all(tile.score is None for tile in wall.tiles):
        return
    yield '<form id="controls" hidden>'
    if any(tile.crowd is not None for tile in wall.tiles):
        yield from _views(wall)
    yield from _limits(*wall.scale)
    if any(tile.own is not None for tile in wall.tiles):
        yield (
            '<label>Photos <select name="rated"><option value="">all</option><option value="yes">rated'
            '</option><option value="no">not rated</option></select></label>'
        )
    yield '<label>Name <input type="search" name="text" autocomplete="off"></label>'
    yield '<output id="count" role="status"></output>\n</form>'


def _views(wall: Wall) -> Iterator[str]:
    """The orders to choose from."""
    own = f"{_text(wall.user or 'this')}’s order"
    views = {"own": own, "crowd": "the crowd’s order", "both": "side by side", "moved": "most moved first"}
    yield '<fieldset class="views"><legend>Order</legend>'
    for view, label in views.items():
        checked = " checked" if view == "own" else ""
        yield f'<label><input type="radio" name="view" value="{view}"{checked}> {label}</label>'
    yield "</fieldset>"


def _limits(low: float, high: float) -> Iterator[str]:
    """Sliders for the lowest and the highest score to show."""
    slider = f'type="range" min="{low:g}" max="{high:g}" step="{(high - low) / 40:g}"'
    yield '<span class="limits">'
    for which, value, label in (("least", low, "Score from"), ("most", high, "to")):
        yield (
            f'<label>{label} <input {slider} id="{which}" name="{which}" value="{value:g}">'
            f'<output for="{which}">{value:g}</output></label>'
        )
    yield "</span>"


def _skipped(wall: Wall) -> Iterator[str]:
    if wall.skipped:
        rows = "".join(
            f"<li><bdi>{_text(name)}</bdi>: {_text(why)}</li>" for name, why in wall.skipped.items()
        )
        summary = f"<summary>{counted(len(wall.skipped), 'photo')} left out</summary>"
        yield f"<details>{summary}<ul>{rows}</ul></details>"


def address(path: Path, files: Pictures, folder: Path) -> str:
    """Where the large photo lies, as a link in the page: below the folder, beside it, or on another disk."""
    if files.large is not None:
        return files.large
    photo, start = os.path.abspath(path), os.path.abspath(folder)  # noqa: PTH100  (a browser follows no link)
    try:
        relative = PurePath(os.path.relpath(photo, start)).as_posix()
    except ValueError:  # on another drive
        return escape(Path(photo).as_uri())
    return quote(os.fsencode(relative))


def _text(value: str) -> str:
    """Escaped, on one line, in characters that a page can hold."""
    return escape(printable(value))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _asset(name: str) -> str:
    return f"\n{Path(__file__).with_name(name).read_text(encoding='utf-8')}"


_DIALOG = """<dialog id="large" aria-label="Photo">
<img alt="">
<p><button type="button" value="back" aria-label="previous photo">←</button>
<span class="said"></span> <a target="_blank" rel="noopener">open the file</a>
<button type="button" value="on" aria-label="next photo">→</button>
<button type="button" value="close" aria-label="close">×</button></p>
</dialog>"""
