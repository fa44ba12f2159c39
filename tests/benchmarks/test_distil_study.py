"""The study of what EAT can earn: views lie inside their photo, and what EAT says is told apart."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.stats import spearmanr

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def scripts():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
        yield [importlib.import_module(name) for name in ("distil_views", "distil_tables")]


@given(seed=st.integers(0, 2**31), width=st.integers(60, 900), height=st.integers(60, 900))
def test_a_view_lies_inside_its_photo(scripts, seed, width, height):
    views, _ = scripts
    corners = np.array(views._corners((width, height), np.random.default_rng(seed))).reshape(4, 2)
    assert (corners >= 0).all()
    assert (corners <= (width, height)).all()
    left, below, right, above = np.diff(corners, axis=0, append=corners[:1])
    np.testing.assert_allclose(left, -right, atol=1e-9)
    assert left @ below == pytest.approx(0, abs=1e-6)  # a rectangle, turned
    turned = np.degrees(np.arctan2(below[1], below[0]))
    assert abs(turned) <= views.TURN_DEGREES + 1e-9
    assert np.linalg.norm(below) >= views.SMALLEST * width - 1e-9
    assert np.linalg.norm(left) >= views.SMALLEST * height - 1e-9
    np.testing.assert_allclose(above, -below, atol=1e-9)


def test_a_view_has_no_edge_of_another_colour(scripts):
    views, _ = scripts
    photo = Image.new("RGB", (300, 200), (90, 120, 150))
    for seed in range(10):
        pixels = views.view(photo, 64, np.random.default_rng(seed))
        assert pixels.shape == (64, 64, 3)
        assert (pixels == (90, 120, 150)).all()


def test_what_eat_says_is_the_difference_from_the_same_network_without_it(scripts):
    _, tables = scripts
    rng = np.random.default_rng(0)
    wanted = {number: rng.standard_normal(60) for number in (1, 2)}
    units = {
        name: [
            {
                number: {
                    tables.SAID: (one + noise * rng.standard_normal(60)).tolist(),
                    tables.MUTE: (one + 1.5 * noise * rng.standard_normal(60)).tolist(),
                    tables.ALONE: one.tolist(),
                    "cpu_s": 1.0,
                }
                for number, one in wanted.items()
            }
            for _ in range(2)
        ]
        for name, noise in ((tables.BASE, 0.5), ("better", 0.3))
    }
    found = tables.tables(tables.Scores(wanted, {**units, "unfinished": []}))
    assert list(found["variants"]) == [tables.BASE, "better"]
    assert found["alone"] == pytest.approx([1, 1])

    def srcc(name, kind):
        return np.mean(
            [spearmanr(seed[n][kind], wanted[n]).statistic for seed in units[name] for n in wanted]
        )

    row = found["variants"]["better"]
    assert row["eat"] == pytest.approx(srcc("better", tables.SAID) - srcc("better", tables.MUTE))
    assert row["gain"] == pytest.approx(srcc("better", tables.SAID) - srcc(tables.BASE, tables.SAID))
    low, high = row["gain_interval"]
    assert low < row["gain"] < high
    assert found["variants"][tables.BASE]["gain_interval"] == [0, 0]
