"""The crowd oracle is the mean of the other raters, row by row, and competes with nobody."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from generic.errors import DatasetError
from piaa.adapters.generic import GenericAdapter
from piaa.ratings.scale import Scale
from piaa.ratings.table import Ratings
from protocols.fewshot.crowd import CROWD, CrowdOracle
from protocols.fewshot.episodes import episodes
from protocols.fewshot.evaluate import Evaluation
from protocols.fewshot.results import Results
from protocols.fewshot.vectors import Vectors
from protocols.report.build import collect
from protocols.report.text import to_terminal

IMAGES = [f"{n}.jpg" for n in range(14)]
SCALE = Scale(1, 7)


@pytest.fixture
def everybody() -> Ratings:
    """Five users; the last two are not tested. Each rates 11 or 12 of 14 images."""
    rng = np.random.default_rng(0)
    rows = [
        (f"u{user}", image, float(rng.integers(1, 8)))
        for user in range(5)
        for image in rng.permutation(IMAGES)[: 11 + user % 2]
    ]
    return Ratings.from_rows(rows, scale=SCALE)


@pytest.fixture
def tested(everybody) -> Ratings:
    return everybody.take([row for row, user in enumerate(everybody.users) if user in ("u0", "u1", "u2")])


@pytest.fixture
def vectors() -> Vectors:
    rng = np.random.default_rng(1)
    # Photos in another order than in the ratings.
    return Vectors(names=tuple(reversed(IMAGES)), matrix=rng.uniform(0.2, 0.8, (len(IMAGES), 4)))


def evaluation(tested, vectors, crowd) -> Evaluation:
    plan = episodes(tested, users=["u0", "u1", "u2"], shots=(2, 5), repeats=2, seed=0, dataset="toy")
    adapters = {"generic": GenericAdapter}
    return Evaluation(tested, vectors, plan, adapters, train="a", test="toy", crowd=crowd)


def test_equals_the_mean_of_the_others_by_pandas(everybody, tested, vectors):
    found = evaluation(tested, vectors, everybody).run(jobs=2)
    cells = [row for unit in found for row in unit.rows if row["adapter"] == CROWD]
    assert len(cells) == 3 * 2 * 2
    frame = pd.DataFrame({"user": everybody.users, "image": everybody.images, "score": everybody.scores})
    plan = episodes(tested, users=["u0", "u1", "u2"], shots=(2, 5), repeats=2, seed=0, dataset="toy")
    found = {(cell["user"], cell["k"], cell["repeat"]): cell for cell in cells}
    for episode in plan.episodes:
        own = frame[frame.user == episode.user].reset_index(drop=True).loc[episode.query]
        others = frame[frame.user != episode.user].groupby("image").score.mean()
        predicted = others[own.image].to_numpy()
        cell = found[episode.user, episode.k, episode.repeat]
        assert cell["srcc"] == pytest.approx(spearmanr(predicted.round(10), own.score).statistic, abs=1e-12)
        # Means are rounded to 12 decimals of a unit score; the scale is 6 wide.
        assert cell["mae"] == pytest.approx(np.abs(predicted - own.score).mean(), abs=1e-11)
        assert np.isnan(cell["coverage"])
        assert cell["n_query"] == len(own)


def test_by_hand_on_three_people(vectors):
    table = {"a": (1, 7), "b": (3, 7), "c": (7, 1)}
    rows = [(user, f"{n}.jpg", float(score)) for user, own in table.items() for n, score in enumerate(own)]
    ratings = Ratings.from_rows(rows, scale=SCALE)
    own = {"c": (np.array([0, 1]), np.array([1.0, 0.0]))}
    # Of the first photo the others said 1 and 3, in unit scores 0 and 1/3; of the second twice 7, that is 1.
    predicted = CrowdOracle(ratings, ["0.jpg", "1.jpg"], own).predict("c", np.array([1, 0]))
    np.testing.assert_allclose(predicted.score, [1, 1 / 6], atol=1e-12)
    assert np.isnan(predicted.low).all()
    assert np.isnan(predicted.high).all()


@given(
    table=st.integers(2, 6).flatmap(
        lambda n: st.lists(st.lists(st.integers(1, 7), min_size=4, max_size=4), min_size=n, max_size=n)
    ),
    new=st.lists(st.integers(1, 7), min_size=4, max_size=4),
)
def test_a_persons_own_ratings_never_reach_her_crowd(table, new):
    def crowd_of_the_first(rows):
        names = [f"{n}.jpg" for n in range(4)]
        listed = [
            (f"u{user}", image, float(score))
            for user, own in enumerate(rows)
            for image, score in zip(names, own, strict=True)
        ]
        unit = (np.array(rows[0]) - 1) / 6
        oracle = CrowdOracle(Ratings.from_rows(listed, scale=SCALE), names, {"u0": (np.arange(4), unit)})
        return oracle.predict("u0", np.arange(4)).score

    before, after = crowd_of_the_first(table), crowd_of_the_first([new, *table[1:]])
    np.testing.assert_array_equal(before, after)
    np.testing.assert_allclose(before, (np.mean(table[1:], axis=0) - 1) / 6, atol=1e-12)


def test_adapters_have_the_same_numbers_beside_it(everybody, tested, vectors):
    alone = evaluation(tested, vectors, None).run()
    beside = evaluation(tested, vectors, everybody).run()
    assert repr([unit for unit in beside if unit.rows[0]["adapter"] != CROWD]) == repr(alone)


def test_a_photo_that_nobody_else_rated_has_no_crowd(everybody, tested, vectors):
    rows = zip(everybody.users, everybody.images, everybody.scores.tolist(), strict=True)
    lonely = next(image for user, image in zip(tested.users, tested.images, strict=True) if user == "u0")
    few = Ratings.from_rows(
        [row for row in rows if row[1] != lonely or row[0] == "u0"],
        scale=SCALE,
    )
    mine = few.take([row for row, user in enumerate(few.users) if user in ("u0", "u1", "u2")])
    with pytest.raises(DatasetError) as error:
        evaluation(mine, vectors, few)
    assert str(error.value) == (
        f"the crowd oracle needs a second rater of every photo, but 1 of 14 have none, such as {lonely!r}; "
        "leave it out"
    )


def test_it_is_a_row_that_is_never_best_and_has_no_p_value(make_results):
    people = {f"user {n}": n / 100 for n in range(8)}
    values = {
        ("a", "table", name, 10): {user: [base + value] for user, value in people.items()}
        for name, base in (("generic", 0.1), ("ridge", 0.2), (CROWD, 0.6))
    }
    with_crowd = collect(make_results(values))
    without = collect(make_results({key: value for key, value in values.items() if key[2] != CROWD}))
    (table,), (plain,) = with_crowd.tables, without.tables
    assert [row.name for row in table.rows] == ["generic", "ridge", CROWD]
    assert table.best(10) == frozenset({1})
    ridge, crowd = (row.cells[10].detail for row in table.rows[1:])
    # Two adapters are one comparison: the crowd does not count in Holm's correction.
    assert ridge.p_holm == plain.rows[1].cells[10].detail.p_holm == 2 / 2**8
    assert crowd.p_holm is None
    note = (
        "crowd oracle: the mean that all other people gave the same photo, which no model knows; "
        "it has no interval and competes with no row"
    )
    assert note in table.notes
    assert note not in plain.notes
    assert note in to_terminal(with_crowd)


def test_results_with_it_survive_json(everybody, tested, vectors):
    found = evaluation(tested, vectors, everybody).run()
    results = Results.from_rows({}, [row for unit in found for row in unit.rows])
    assert Results.from_json(results.to_json()) == results
