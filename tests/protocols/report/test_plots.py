from __future__ import annotations

import hashlib
import subprocess
import sys
import textwrap
from itertools import pairwise
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.collections import FillBetweenPolyCollection, PathCollection
from matplotlib.text import Text

from generic.errors import OutputError, ShapeError
from protocols.datasets.flickr_aes import TEST_WORKERS
from protocols.report.build import collect
from protocols.report.plot_style import COLOURS, appearance, plot_bytes, save_plot
from protocols.report.plots import _apart, _letters_on, matrix_figure, shots_figure, users_figure
from protocols.report.table import MEASURED, PUBLISHED

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def flickr(make_results):
    """Three adapters on the official FLICKR-AES users at 10 and 100 shots."""
    rng = np.random.default_rng(2)
    values = {
        ("flickr-aes", "flickr-aes", name, k): {
            user: list(rng.uniform(low, low + 0.4, 2)) for user in TEST_WORKERS
        }
        for name, low in (("generic", 0.3), ("ridge", 0.35), ("bayes", 0.4))
        for k in (10, 100)
    }
    return collect(make_results(values)).tables[0]


@pytest.fixture(scope="module")
def matrices(make_results):
    values = {
        (train, test, "generic", 100): {"ana": [0.1 * n, 0.1 * n], "bo": [0.1 * n, 0.1 * n]}
        for n, (train, test) in enumerate(
            [("flickr-aes", "flickr-aes"), ("flickr-aes", "aadb"), ("aadb", "aadb")], 4
        )
    }
    return collect(make_results(values)).matrices


def test_lines_are_the_means_and_bands_the_intervals(flickr):
    (axes,) = shots_figure(flickr).axes
    lines = {line.get_label(): line for line in axes.lines}
    bands = [part for part in axes.collections if isinstance(part, FillBetweenPolyCollection)]
    assert len(bands) == 3
    for row, band in zip(flickr.of(MEASURED), bands, strict=True):
        assert lines[row.name].get_xdata().tolist() == [10, 100]
        assert lines[row.name].get_ydata().tolist() == [row.cells[k].mean for k in (10, 100)]
        corners = {tuple(point) for point in band.get_paths()[0].vertices.tolist()}
        assert corners == {
            (k, end)
            for k in (10, 100)
            for end in (row.cells[k].detail.srcc.low, row.cells[k].detail.srcc.high)
        }
    assert axes.get_xscale() == "log"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["10", "100"]


def test_published_points_are_where_they_were_published_and_named(flickr):
    figure = shots_figure(flickr)
    (axes,) = figure.axes
    points = next(line for line in axes.lines if line.get_label() == "published")
    expected = {(k, row.cells[k].mean) for row in flickr.of(PUBLISHED) for k in (10, 100)}
    assert set(zip(points.get_xdata(), points.get_ydata(), strict=True)) == expected
    assert len(points.get_xdata()) == 22
    named = {text.get_text(): text.xy for text in axes.texts}
    assert named == {row.name: (100, row.cells[100].mean) for row in flickr.of(PUBLISHED)}
    low, high = axes.get_ylim()
    assert all(low < mean < high for _, mean in expected)


def test_names_beside_the_axes_do_not_touch(flickr):
    figure = shots_figure(flickr)
    figure.draw_without_rendering()
    # Text's own extent: an annotation's has its line in it.
    boxes = sorted((Text.get_window_extent(text) for text in figure.axes[0].texts), key=lambda box: box.y0)
    # Letters without descenders leave room: the boxes may share a tenth of their height.
    assert all(a.y1 - b.y0 < 0.1 * a.height for a, b in pairwise(boxes))


def test_the_legend_says_whether_published_points_are_comparable(flickr, make_results):
    values = {("aadb", "aadb", "generic", k): {"w1": [0.5], "w2": [0.3]} for k in (10, 100)}
    aadb = collect(make_results(values)).tables[0]
    for table, label in ((flickr, "published"), (aadb, "published (not comparable)")):
        (legend,) = shots_figure(table).legends
        assert legend.get_texts()[-1].get_text() == label
        assert legend.get_title().get_text() == "line: measured here; band: 95 % interval over users"


def test_labels_move_apart_and_keep_their_order():
    assert _apart([1.0, 5.0], 1) == [1.0, 5.0]
    assert _apart([1.0, 1.0], 1) == [0.5, 1.5]
    assert _apart([0.0, 0.8, 1.6, 9.0], 1) == pytest.approx([-0.2, 0.8, 1.8, 9.0])
    rng = np.random.default_rng(0)
    placed = _apart(sorted(rng.uniform(0, 1, 30)), 0.03)
    assert np.diff(placed).min() > 0.03 - 1e-12


def test_every_user_is_a_dot_and_every_box_their_quartiles(flickr):
    figure = users_figure(flickr)
    assert len(figure.axes) == 4
    for number, k in enumerate((10, 100)):
        left, right = figure.axes[2 * number : 2 * number + 2]
        base = flickr.rows[0].cells[k].detail.users
        gains = []
        for place, row in enumerate(flickr.of(MEASURED)):
            users = row.cells[k].detail.users
            dots = strips(left)[place].get_offsets()
            assert dots[:, 0].tolist() == list(users.values())
            assert np.abs(dots[:, 1] - place).max() < 0.3
            assert quartiles(left, place) == pytest.approx(np.quantile(list(users.values()), [0.25, 0.75]))
            gains.append([value - base[user] for user, value in users.items()])
        assert [strip.get_offsets()[:, 0].tolist() for strip in strips(right)] == gains[1:]
        shares = [f"{np.mean(np.array(gain) > 0):.0%} gain" for gain in gains[1:]]
        assert [text.get_text() for text in right.texts] == shares
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["generic", "ridge", "bayes"]
    assert figure.axes[0].get_xlim() == figure.axes[2].get_xlim()


def strips(axes):
    return [part for part in axes.collections if isinstance(part, PathCollection)]


def quartiles(axes, place):
    boxes = [line.get_xdata() for line in axes.lines if len(line.get_xdata()) == 5]
    return [min(boxes[place]), max(boxes[place])]


def test_gains_compare_with_the_baseline_of_the_same_training_set(make_results):
    values = {
        (train, "table", name, 10): {"ana": [base + gain], "bo": [base - gain]}
        for train, base in (("a", 0.3), ("b", 0.6))
        for name, gain in (("generic", 0.0), ("ridge", 0.1))
    }
    figure = users_figure(collect(make_results(values)).tables[0])
    gains = [strip.get_offsets()[:, 0].tolist() for strip in strips(figure.axes[1])]
    assert np.array(gains) == pytest.approx(np.array([[0.1, -0.1], [0.1, -0.1]]))
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["generic (a)", "ridge (a)", "generic (b)", "ridge (b)"]


def test_heat_maps_show_the_numbers_and_leave_unknown_places_white(matrices):
    figure = matrix_figure(matrices)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["generic\nmeasured here", "TAPP-PIAA\npublished", "EAT\npublished"]
    measured, _, eat = figure.axes
    (image,) = measured.images
    assert np.ma.getdata(image.get_array())[[0, 0, 1], [0, 1, 1]] == pytest.approx([0.4, 0.5, 0.6])
    assert np.ma.getmaskarray(image.get_array()).tolist() == [[False, False], [True, False]]
    texts = {text.get_position(): text.get_text() for text in measured.texts}
    assert texts == {(0, 0): "0.400\n±0.000", (1, 0): "0.500\n±0.000", (1, 1): "0.600\n±0.000"}
    assert [text.get_text() for text in eat.texts] == ["0.689", "0.593", "0.646"]
    assert [label.get_text() for label in measured.get_xticklabels()] == ["FLICKR-AES", "AADB"]
    assert [label.get_text() for label in measured.get_yticklabels()] == ["FLICKR-AES", "AADB"]
    assert (measured.get_xlabel(), measured.get_ylabel()) == ("tested on", "trained on")
    # One scale for all: equal numbers have equal colours.
    assert len({axes.images[0].norm.vmin for axes in figure.axes}) == 1


def test_letters_stand_out_from_their_field():
    assert _letters_on((1.0, 1.0, 1.0, 1.0)) == "black"
    assert _letters_on((0.0, 0.0, 0.3, 1.0)) == "white"


def test_adapters_differ_in_more_than_colour():
    looks = [appearance(place) for place in range(14)]
    assert len({tuple(look.values()) for look in looks}) == 14
    # Without colour, as a photocopy shows them.
    assert len({(look["marker"], look["linestyle"]) for look in looks}) == 14
    assert COLOURS[0] == "#000000"


def test_five_matrices_are_laid_out_three_and_two(make_results):
    values = {("a", test, name, 10): {"ana": [0.5], "bo": [0.2]} for test in ("a", "b") for name in "vwxyz"}
    figure = matrix_figure(collect(make_results(values)).matrices)
    assert [axes.axison for axes in figure.axes] == [True] * 5 + [False]


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_bytes_depend_on_the_report_alone(flickr, matrices, suffix):
    first = [plot_bytes(draw(), suffix) for draw in figures(flickr, matrices)]
    with matplotlib.rc_context({"font.size": 20, "lines.linewidth": 9, "axes.facecolor": "red"}):
        second = [plot_bytes(draw(), suffix) for draw in figures(flickr, matrices)]
        assert matplotlib.rcParams["font.size"] == 20
    assert first == second
    assert first[0].startswith(b"\x89PNG" if suffix == ".png" else b"<?xml")
    assert b"Software" not in first[0]
    assert b"<dc:date>" not in first[0]


def figures(table, matrices):
    return lambda: shots_figure(table), lambda: users_figure(table), lambda: matrix_figure(matrices)


def test_another_process_draws_the_same_bytes_without_pyplot(small):
    program = textwrap.dedent("""
        import hashlib, sys
        from pathlib import Path
        from protocols.report.plot_style import plot_bytes
        from protocols.report.plots import shots_figure
        from protocols.report.build import collect
        from protocols.fewshot.results import Results
        assert "matplotlib" not in sys.modules and "scipy" not in sys.modules
        figure = shots_figure(collect(Results.from_json(sys.stdin.read())).tables[0])
        for suffix in (".png", ".svg"):
            print(hashlib.sha256(plot_bytes(figure, suffix)).hexdigest())
        assert "matplotlib.pyplot" not in sys.modules
    """)
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=small.to_json(),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "TZ": "Asia/Tokyo"},
    )
    assert done.returncode == 0, done.stderr
    figure = shots_figure(collect(small).tables[0])
    here = [hashlib.sha256(plot_bytes(figure, suffix)).hexdigest() for suffix in (".png", ".svg")]
    assert done.stdout.split() == here


def test_a_name_is_no_formula(make_results):
    values = {("a", "$x$", "my_$y_{", k): {"ana": [0.5, 0.4], "bo": [0.2, 0.1]} for k in (10, 20)}
    figure = shots_figure(collect(make_results(values)).tables[0])
    assert plot_bytes(figure, ".svg")
    assert figure.axes[0].get_title(loc="left") == "$x$"


def test_saving(flickr, tmp_path):
    figure = shots_figure(flickr)
    save_plot(figure, tmp_path / "a.PNG")
    assert (tmp_path / "a.PNG").read_bytes() == plot_bytes(figure, ".png")
    with pytest.raises(OutputError) as caught:
        save_plot(figure, tmp_path / "a.gif")
    assert str(caught.value) == "cannot write a plot as '.gif'; name a file that ends in .png or .svg"
    assert [path.name for path in tmp_path.iterdir()] == ["a.PNG"]


def test_what_cannot_be_drawn(make_results, matrices):
    table = collect(make_results({("a", "table", "generic", 10): {"ana": [0.5], "bo": [0.2]}})).tables[0]
    with pytest.raises(ShapeError) as caught:
        shots_figure(table)
    assert str(caught.value) == (
        "the table of table has only k = 10, but a line needs at least two; use users_figure for a single one"
    )
    with pytest.raises(ShapeError) as caught:
        matrix_figure([])
    assert str(caught.value) == (
        "a heat map of 0 matrices at k = none, expected at least one matrix and one k; draw one figure "
        "for each k"
    )
