"""Plots of a report: SRCC against the number of ratings, the people behind a mean, and Table 7 as a heat map.

They read the same record as the tables; every mark is a number of a table or one user's mean.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from generic.errors import ShapeError
from protocols.report.grid import mean_std
from protocols.report.plot_style import COLOURS, COLUMN, GREY, PAGE, appearance, panels, settle, style
from protocols.report.published import title
from protocols.report.table import MEASURED, PUBLISHED, CrossMatrix, ReportTable, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure


def shots_figure(table: ReportTable) -> Figure:
    """Mean SRCC against the number of ratings: a line and a 95 % band per adapter, published points in grey.

    Each published point at the largest k carries its method's name beside the axes.

    Args:
        table: one test dataset's rows.

    Returns:
        a figure one paper column wide; the band is the interval that the table shows.

    Raises:
        ShapeError: there is only one k.
    """
    if len(table.shots) < 2:
        raise ShapeError(
            f"the table of {table.test} has only k = {', '.join(map(str, table.shots))}, but a line needs "
            "at least two; use users_figure for a single one"
        )
    with style():
        labels = [*(table.label(row) for row in table.of(MEASURED)), PUBLISHED]
        across = 3 if max(map(len, labels)) <= 12 else 2
        # The axes keep their height, and the names beside them their room, whatever the legend takes.
        figure, (axes,) = panels(COLUMN, 2.95 + 0.15 * math.ceil(len(labels) / across), 1, 1)
        for number, row in enumerate(table.of(MEASURED)):
            _draw_line(axes, table, row, number)
        _draw_published(figure, axes, table)
        axes.set_xscale("log")
        axes.set_xticks(table.shots, [str(k) for k in table.shots])
        axes.minorticks_off()
        axes.set_xlabel("ratings per user (k)")
        axes.set_ylabel("SRCC, mean over users")
        axes.set_title(title(table.test), loc="left")
        axes.grid(axis="y")
        figure.legend(
            loc="outside lower left",
            ncols=across,
            frameon=False,
            handlelength=2.2,
            title="line: measured here; band: 95 % interval over users"
            f"{' and photos' if table.draws_photos else ''}",
            title_fontsize=7,
            alignment="left",
        )
        return settle(figure)


def users_figure(table: ReportTable) -> Figure:
    """The people behind the means: SRCC of each user, and each user's gain over the baseline.

    One row of panels for each k. A dot is one user's mean over repeats; the box holds the middle half of the
    users, its line is the median, and the whiskers hold 90 %. The right panel pairs each user with their own
    baseline and says how many users gain.

    Args:
        table: one test dataset's rows.

    Returns:
        a figure two paper columns wide.

    Raises:
        ShapeError: the table has no row that was measured here.
    """
    rows = table.of(MEASURED)
    if not rows:
        raise ShapeError(
            f"the table of {table.test} has no row measured here, expected at least one; "
            "plot a table of an evaluation"
        )
    with style():
        shots = [k for k in table.shots if any(k in row.cells for row in rows)]
        height = len(shots) * (0.55 + 0.24 * len(rows)) + 0.25
        # Shared axes: one k can be compared with another by eye.
        figure, axes = panels(PAGE, height, len(shots), 2, sharex="col")
        for line, k in enumerate(shots):
            left, right = axes[2 * line : 2 * line + 2]
            _draw_people(left, table, k)
            _draw_gains(right, table, k)
            left.set_title(f"{title(table.test)}, {k} shots", loc="left")
            right.set_title(f"gain over {table.baseline}, same user", loc="left")
        axes[-2].set_xlabel("SRCC of one user")
        axes[-1].set_xlabel("difference in SRCC")
        return settle(figure)


def matrix_figure(matrices: Sequence[CrossMatrix]) -> Figure:
    """Training against test dataset as heat maps with numbers, one panel per adapter or published method.

    Args:
        matrices: of one k, at least one; all share one colour scale.

    Returns:
        a figure one or two paper columns wide, depending on the number of panels.

    Raises:
        ShapeError: there is no matrix, or they are of different k.
    """
    shots = sorted({matrix.k for matrix in matrices})
    if len(shots) != 1:
        raise ShapeError(
            f"a heat map of {len(matrices)} matrices at k = {', '.join(map(str, shots)) or 'none'}, "
            "expected at least one matrix and one k; draw one figure for each k"
        )
    from matplotlib.colors import Normalize

    means = [cell.mean for matrix in matrices for cell in matrix.cells.values() if not math.isnan(cell.mean)]
    with style():
        down = math.ceil(len(matrices) / 4)
        across = math.ceil(len(matrices) / down)
        most = max(len(matrix.trains) for matrix in matrices)
        figure, axes = panels(
            COLUMN if across <= 2 else PAGE, 0.45 + down * (0.75 + 0.45 * most), down, across
        )
        norm = Normalize(min(means, default=0.0), max(means, default=1.0))
        for number, (panel, matrix) in enumerate(zip(axes, matrices, strict=False)):
            _draw_matrix(panel, matrix, norm, names=number % across == 0)
        for panel in axes[len(matrices) :]:
            panel.set_axis_off()
        return settle(figure)


def _draw_line(axes: Axes, table: ReportTable, row: Row, place: int) -> None:
    """An adapter's means and, where there are several users, the band of their intervals."""
    shots = list(row.cells)
    look = appearance(place)
    axes.plot(shots, [row.cells[k].mean for k in shots], label=table.label(row), zorder=3, **look)
    details = [detail for detail in (row.cells[k].detail for k in shots) if detail is not None]
    axes.fill_between(
        shots,
        [detail.interval[0] for detail in details],
        [detail.interval[1] for detail in details],
        color=look["color"],
        # Many bands on top of each other would turn grey.
        alpha=min(0.14, 0.5 / len(table.of(MEASURED))),
        linewidth=0,
    )


def _draw_published(figure: Figure, axes: Axes, table: ReportTable) -> None:
    """Published means as open grey circles; those at the largest k are named beside the axes.

    They are drawn a little to the right of their k, so that our own markers do not hide them.
    """
    from matplotlib.transforms import ScaledTranslation

    points = [
        (k, row.cells[k].mean, row) for row in table.of(PUBLISHED) for k in table.shots if k in row.cells
    ]
    if not points:
        return
    aside = ScaledTranslation(6 / 72, 0, figure.dpi_scale_trans)
    axes.plot(
        [k for k, _, _ in points],
        [mean for _, mean, _ in points],
        linestyle="",
        marker="o",
        markersize=3.5,
        markerfacecolor="white",
        markeredgecolor=GREY,
        markeredgewidth=0.8,
        label=PUBLISHED if table.comparable else f"{PUBLISHED} (not comparable)",
        transform=axes.transData + aside,
        clip_on=False,
        zorder=2,
    )
    # A shifted line does not widen the axes by itself.
    axes.update_datalim([(k, mean) for k, mean, _ in points])
    axes.autoscale_view()
    last = max(k for k, _, _ in points)
    named = sorted((mean, row.name) for k, mean, row in points if k == last)
    low, high = axes.get_ylim()
    for (mean, name), y in zip(named, _apart([mean for mean, _ in named], 0.052 * (high - low)), strict=True):
        axes.annotate(
            name,
            (last, mean),
            xycoords=axes.transData + aside,
            xytext=(1.06, (y - low) / (high - low)),
            textcoords="axes fraction",
            fontsize=6.5,
            color=GREY,
            va="center",
            arrowprops={
                **{"arrowstyle": "-", "color": "#aaaaaa", "linewidth": 0.5},
                **{"shrinkA": 1, "shrinkB": 2, "relpos": (0, 0.5)},
            },
        )
    axes.set_ylim(low, high)


def _apart(values: Sequence[float], gap: float) -> list[float]:
    """Positions at least ``gap`` apart, in order, as near to the ascending ``values`` as one pass gets."""
    groups: list[tuple[float, int]] = []  # Centre and size of runs of labels that touch.
    for value in values:
        centre, size = value, 1
        while groups and centre - groups[-1][0] < gap * (size + groups[-1][1]) / 2:
            other, n = groups.pop()
            centre, size = (centre * size + other * n) / (size + n), size + n
        groups.append((centre, size))
    return [centre + gap * (place - (size - 1) / 2) for centre, size in groups for place in range(size)]


def _draw_people(axes: Axes, table: ReportTable, k: int) -> None:
    rows = table.of(MEASURED)
    for place, row in enumerate(rows):
        _strip(axes, _people(row, k), place)
    _name_rows(axes, [table.label(row) for row in rows])


def _draw_gains(axes: Axes, table: ReportTable, k: int) -> None:
    """Each user's SRCC minus their own under the baseline of the same training dataset."""
    rows = table.of(MEASURED)
    floors = {row.train: _people(row, k) for row in rows if row.name == table.baseline}
    axes.axvline(0, color=COLOURS[0], linewidth=0.8)
    for place, row in enumerate(rows):
        if row.name == table.baseline:
            continue
        floor = floors.get(row.train, {})
        gains = {user: value - floor[user] for user, value in _people(row, k).items() if user in floor}
        _strip(axes, gains, place)
        if gains:
            better = sum(gain > 0 for gain in gains.values()) / len(gains)
            axes.annotate(
                f"{better:.0%} gain",
                (1.01, place),
                xycoords=("axes fraction", "data"),
                fontsize=6.5,
                va="center",
                annotation_clip=False,
            )
    _name_rows(axes, [""] * len(rows))


def _people(row: Row, k: int) -> Mapping[str, float]:
    cell = row.cells.get(k)
    return {} if cell is None or cell.detail is None else cell.detail.users


def _strip(axes: Axes, people: Mapping[str, float], place: int) -> None:
    """One dot per user and a box, on the line ``y = place``."""
    if not people:
        return
    values = np.array(list(people.values()))
    look = appearance(place)
    # Golden-ratio steps fill the line's height evenly, without a random number.
    y = place + 0.52 * ((np.arange(len(values)) * 0.618034) % 1 - 0.5)
    axes.scatter(values, y, s=5, color=look["color"], alpha=0.45, linewidths=0, zorder=2)
    axes.boxplot(
        values,
        positions=[place],
        orientation="horizontal",
        widths=0.62,
        showfliers=False,
        whis=(5, 95),
        manage_ticks=False,
        zorder=3,
        boxprops={"color": "#333333", "linewidth": 0.8},
        whiskerprops={"color": "#333333", "linewidth": 0.8},
        capprops={"color": "#333333", "linewidth": 0.8},
        medianprops={"color": "#333333", "linewidth": 1.6},
    )


def _name_rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")


def _draw_matrix(axes: Axes, matrix: CrossMatrix, norm: Normalize, *, names: bool) -> None:
    """One matrix with its numbers; what was not run stays white."""
    from matplotlib import colormaps

    colours = colormaps["cividis"]
    values = np.full((len(matrix.trains), len(matrix.tests)), np.nan)
    for row, train in enumerate(matrix.trains):
        for column, test in enumerate(matrix.tests):
            cell = matrix.cells.get((train, test))
            if cell is None or math.isnan(cell.mean):
                continue
            values[row, column] = cell.mean
            axes.text(
                column,
                row,
                mean_std(cell).replace("±", "\n±"),
                ha="center",
                va="center",
                color=_letters_on(colours(norm(cell.mean))),
            )
    axes.imshow(values, cmap=colours, norm=norm, aspect="auto")
    axes.set_xticks(range(len(matrix.tests)), [title(test) for test in matrix.tests])
    axes.set_yticks(range(len(matrix.trains)), [title(train) if names else "" for train in matrix.trains])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title(f"{matrix.name}\n{matrix.source}")
    axes.set_xlabel("tested on")
    if names:
        axes.set_ylabel("trained on")


def _letters_on(colour: tuple[float, float, float, float]) -> str:
    """Black or white, whichever stands out more: WCAG's contrast of both is equal at luminance 0.179."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "black" if luminance > 0.179 else "white"
