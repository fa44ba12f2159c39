"""How every plot looks, and how it becomes a file.

Sizes are inches of a two-column paper: 3.35 for one column, 7 for both, with 6.5 to 8 point letters. Colours
are those of Okabe and Ito, which people with any kind of colour blindness can tell apart; a marker's shape
says the same as its colour. The same figure gives the same bytes, on one version of matplotlib.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from generic.atomic import write_bytes
from generic.errors import OutputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMN, PAGE = 3.35, 7.0
COLOURS = ("#000000", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7")
"""Okabe and Ito's, black for the baseline, which comes first; without their yellow, too faint on white."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
GREY = "#767676"
_DPI = 300

# Everything that a person's matplotlibrc could change and that a plot would show.
_STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 7.5,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 7,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.3,
    "lines.markersize": 4.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.linewidth": 0.4,
    "grid.color": "#dddddd",
    "text.parse_math": False,  # A name with dollar signs is no formula.
    "svg.hashsalt": "piaa",
}


def plot_bytes(figure: Figure, suffix: str) -> bytes:
    """A figure as a file's content, without date or program name: equal figures give equal bytes.

    Args:
        figure: one of this module.
        suffix: ``.png`` (300 dots per inch) or ``.svg``.

    Raises:
        OutputError: the suffix is another one.
    """
    metadata: dict[str, dict[str, Any]] = {".png": {"Software": None}, ".svg": {"Date": None}}
    if suffix not in metadata:
        raise OutputError(
            f"cannot write a plot as {suffix!r}; name a file that ends in {' or '.join(metadata)}"
        )
    page = BytesIO()
    with style():
        figure.savefig(page, format=suffix[1:], dpi=_DPI, metadata=metadata[suffix])
    return page.getvalue()


def save_plot(figure: Figure, path: Path) -> None:
    """Writes a plot whole or not at all, in the format of the suffix.

    Raises:
        OutputError: the suffix is neither ``.png`` nor ``.svg``, or the file cannot be written.
    """
    write_bytes(path, plot_bytes(figure, path.suffix.lower()))


@contextmanager
def style() -> Iterator[None]:
    """Matplotlib's defaults and ours, whatever the person's own settings are; theirs come back at the end."""
    import matplotlib.style

    with matplotlib.style.context(["default", _STYLE]):
        yield


def settle(figure: Figure) -> Figure:
    """The figure with its layout worked out for good; otherwise each saving would shift it a little."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure


def panels(
    width: float, height: float, down: int, across: int, *, sharex: Literal["none", "col"] = "none"
) -> tuple[Figure, list[Axes]]:
    """A figure of ``width`` x ``height`` inches and its panels, row by row."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(down, across, squeeze=False, sharex=sharex)
    return figure, [panel for line in axes for panel in line]


def appearance(place: int) -> dict[str, Any]:
    """Colour, marker and line of the adapter at ``place``; the eighth begins again, dashed and hollow."""
    turn, place = divmod(place, len(COLOURS))
    colour = COLOURS[place]
    return {
        "color": colour,
        "marker": MARKERS[place],
        "markerfacecolor": "white" if turn else colour,
        "linestyle": ("-", "--", ":")[turn % 3],
    }
