"""What the demo says that learning is worth, counted anew pair by pair."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

import piaa
from piaa.demo.compared import Row, asked, compared, table
from piaa.demo.people import draw_people


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return piaa.load_model(cache=tmp_path_factory.mktemp("cache"))


def test_a_person_rates_other_photos_than_the_next(model):
    first, second = draw_people(2, 0)
    assert len(set(asked(100, first, 0))) == 30
    assert asked(100, first, 0) == asked(100, first, 0)
    assert asked(100, first, 0) != asked(100, second, 0)


def test_every_share_is_that_of_the_pairs_in_order(model):
    rng = np.random.default_rng(0)
    width = 1 + model.prior.n_directions + model.prior.n_richer
    vectors = rng.normal(0.0, 0.3, (40, width)).astype(np.float32)
    vectors[:, 0] = rng.random(40)
    people, ratings = draw_people(3, 0), rng.integers(1, 6, (3, 40)).tolist()
    rows = compared(model, vectors, people, ratings, 0)
    assert [row.k for row in rows] == [0, 10, 30]
    shares = []
    for person, given in zip(people, ratings, strict=True):
        left = [photo for photo in range(40) if photo not in asked(40, person, 0)]
        pairs = [(a, b) for a, b in combinations(left, 2) if given[a] != given[b]]
        right = [(given[a] > given[b]) == (vectors[a, 0] > vectors[b, 0]) for a, b in pairs]
        shares.append(np.mean(right))
    mean, error = np.mean(shares), np.std(shares, ddof=1) / np.sqrt(3)
    # 4.303 is the 97.5 % quantile of Student's t with 2 degrees of freedom.
    assert rows[0].pairs == pytest.approx(mean)
    assert (rows[0].low, rows[0].high) == pytest.approx(
        (mean - 4.303 * error, mean + 4.303 * error), abs=1e-4
    )
    assert rows[0].better == 0


def test_the_table():
    rows = [
        Row(k=0, pairs=0.503, low=0.436, high=0.57, better=0, real=0.727),
        Row(k=10, pairs=0.666, low=0.608, high=0.724, better=19, real=0.733),
    ]
    assert table(rows, 20, 651) == [
        "pairs of photos in their own order  20 simulated people                    651 real people",
        "  the crowd's ranking                50.3% [43.6%, 57.0%]                 72.7%",
        "  their own, after 10 ratings        66.6% [60.8%, 72.4%] 19 better off   73.3%",
    ]
    unmeasured = [Row(k=0, pairs=0.503, low=0.436, high=0.57, better=0, real=None)]
    assert table(unmeasured, 20, None) == [
        "pairs of photos in their own order  20 simulated people",
        "  the crowd's ranking                50.3% [43.6%, 57.0%]",
    ]
