"""An evaluation is a loop over episodes, whatever is done to make it quick or to go on with it."""

from __future__ import annotations

import threading
import time
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from generic.errors import DatasetError, PiaaError, RatingsError
from piaa.adapters.base import Adapter, Prediction
from piaa.adapters.generic import GenericAdapter
from piaa.adapters.ridge import RidgeAdapter
from piaa.ratings.scale import Scale
from piaa.ratings.table import Ratings
from protocols.fewshot.episodes import EpisodePlan, episodes
from protocols.fewshot.evaluate import Evaluation
from protocols.fewshot.results import COLUMNS, Results
from protocols.fewshot.units import Found, Unit
from protocols.fewshot.vectors import Vectors

D = 6
N_IMAGES = 40


class Shift(Adapter):
    """A toy: the generic score, moved by the mean residual of the support."""

    name = "shift"

    def fit(self, features, unit_scores):
        self.by = float(np.mean(unit_scores - features[:, 0]))
        return self

    def predict(self, features):
        mean = features[:, 0] + self.by
        return Prediction(score=mean, low=mean - 0.1, high=mean + 0.1)

    def state(self):
        return {"by": np.array(self.by)}

    def restore(self, state):
        self.by = float(state["by"])
        return self


class OneByOne(RidgeAdapter):
    """``ridge`` whose fits share nothing."""

    name = "one-by-one"
    fits_many = False
    fit_many = None


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    rng = np.random.default_rng(1)
    matrix = np.column_stack((rng.uniform(0.2, 0.8, N_IMAGES), rng.standard_normal((N_IMAGES, D))))
    return Vectors(names=tuple(f"{n}.jpg" for n in range(N_IMAGES)), matrix=matrix)


@pytest.fixture(scope="module")
def ratings(vectors) -> Ratings:
    """37 users on 1..7, each of 18 to 30 images, rows of all users mixed."""
    rng = np.random.default_rng(2)
    rows = []
    for number in range(37):
        taste = rng.normal(0, 0.2, D)
        for image in rng.choice(N_IMAGES, 18 + number % 13, replace=False):
            unit = vectors.matrix[image, 0] + vectors.matrix[image, 1:] @ taste + rng.normal(0, 0.1)
            rows.append((f"user {number:02d}", f"{image}.jpg", float(np.clip(round(1 + 6 * unit), 1, 7))))
    order = rng.permutation(len(rows))
    return Ratings.from_rows([rows[place] for place in order], scale=Scale(1, 7))


@pytest.fixture(scope="module")
def plan(ratings) -> EpisodePlan:
    users = ratings.user_names()
    return episodes(ratings, users=users, shots=(4, 12), repeats=3, seed=0, dataset="toy")


def evaluation(ratings, vectors, plan, **adapters) -> Evaluation:
    return Evaluation(ratings, vectors, plan, adapters, train="the crowd", test="toy")


def rows_of(found) -> list:
    return [row for unit in found for row in unit.rows]


def text(rows) -> str:
    return Results.from_rows({}, rows).to_json()


@pytest.mark.parametrize(("name", "make"), [("generic", GenericAdapter), ("shift", Shift)])
def test_equals_a_loop_over_episodes(ratings, vectors, plan, name, make):
    cells = rows_of(evaluation(ratings, vectors, plan, **{name: make}).run())
    assert len(cells) == 37 * 2 * 3
    assert all(set(cell) == set(COLUMNS) for cell in cells)
    found = {(cell["user"], cell["k"], cell["repeat"]): cell for cell in cells}
    scores = {
        (user, image): score
        for user, image, score in zip(ratings.users, ratings.images, ratings.scores, strict=True)
    }
    for episode in plan.episodes:
        images = [
            image for user, image in zip(ratings.users, ratings.images, strict=True) if user == episode.user
        ]
        support, query = ([images[row] for row in rows] for rows in (episode.support, episode.query))
        x = {image: vectors.matrix[vectors.names.index(image)] for image in images}
        unit = {image: (scores[episode.user, image] - 1) / 6 for image in images}
        adapter = make().fit(np.stack([x[i] for i in support]), np.array([unit[i] for i in support]))
        predicted = adapter.predict(np.stack([x[i] for i in query]))
        rated = np.array([unit[i] for i in query])
        cell = found[episode.user, episode.k, episode.repeat]
        assert (cell["train"], cell["test"], cell["adapter"]) == ("the crowd", "toy", name)
        assert cell["n_query"] == len(images) - episode.k
        assert cell["srcc"] == pytest.approx(spearmanr(predicted.score, rated).statistic, abs=1e-12)
        assert cell["plcc"] == pytest.approx(pearsonr(predicted.score, rated).statistic, abs=1e-12)
        assert cell["mae"] == pytest.approx(
            np.mean(np.abs(1 + 6 * predicted.score - (1 + 6 * rated))), abs=1e-9
        )
        inside = (predicted.low <= rated) & (rated <= predicted.high)
        assert cell["coverage"] == pytest.approx(inside.mean())


def test_units_are_in_a_fixed_order_and_so_are_their_cells(ratings, vectors, plan):
    run = evaluation(ratings, vectors, plan, shift=Shift, generic=GenericAdapter)
    assert [unit.key for unit in run.units()] == [
        f"{adapter}-{k}-{repeat}" for adapter in ("shift", "generic") for k in (4, 12) for repeat in range(3)
    ]
    cells = rows_of(run.run())
    assert [cell["user"] for cell in cells] == ratings.user_names() * 12
    assert cells[: len(cells) // 12] == run.compute(Unit(adapter="shift", k=4, repeat=0)).rows


def test_people_fitted_together_are_people_fitted_alone_to_the_bit(ratings, vectors, plan):
    together = rows_of(evaluation(ratings, vectors, plan, ridge=RidgeAdapter).run())
    alone = rows_of(evaluation(ratings, vectors, plan, ridge=OneByOne).run())
    assert text(together) == text(alone)
    # 37 people are more than are fitted at once; of any few the numbers are the same.
    few = ratings.user_names()[5:8]
    some = EpisodePlan(episodes=tuple(e for e in plan.episodes if e.user in few), skipped={})
    assert text(rows_of(evaluation(ratings, vectors, some, ridge=RidgeAdapter).run())) == text(
        cell for cell in together if cell["user"] in few
    )


def test_no_more_people_are_held_together_than_the_adapter_fits_at_once(ratings, vectors, plan):
    sizes = []

    class Few(RidgeAdapter):
        def at_once(self, k, width):
            assert (k, width) == (4, 1 + D)
            return 5

        def fit_many(self, features, unit_scores):
            sizes.append(len(features))
            return super().fit_many(features, unit_scores)

    cells = evaluation(ratings, vectors, plan, few=Few).compute(Unit(adapter="few", k=4, repeat=0)).rows
    assert sizes == [5] * 7 + [2]
    assert len(cells) == 37


@pytest.mark.parametrize("jobs", [2, 5])
def test_the_numbers_do_not_depend_on_jobs(ratings, vectors, plan, jobs):
    run = evaluation(ratings, vectors, plan, generic=GenericAdapter, ridge=RidgeAdapter, shift=Shift)
    assert run.run(jobs=jobs) == run.run()


def test_jobs_run_at_the_same_time(ratings, vectors, plan):
    meeting, own = threading.Barrier(2), threading.local()

    class Waits(Shift):
        def predict(self, features):
            if not hasattr(own, "met"):
                own.met = meeting.wait(timeout=10)  # fails unless another thread comes
            return super().predict(features)

    assert len(rows_of(evaluation(ratings, vectors, plan, waits=Waits).run(jobs=2))) == 37 * 6


def test_progress_and_keep_hear_of_every_unit(ratings, vectors, plan):
    run = evaluation(ratings, vectors, plan, shift=Shift, generic=GenericAdapter)
    kept, steps = {}, []
    cells = run.run(keep=lambda key, found: kept.update({key: found}), progress=steps.append, jobs=3)
    assert set(kept) == {unit.key for unit in run.units()}
    assert (sum(steps), steps[0]) == (12, 0)
    assert [kept[unit.key] for unit in run.units()] == cells


def test_known_units_are_not_computed_again(ratings, vectors, plan):
    run = evaluation(ratings, vectors, plan, shift=Shift, generic=GenericAdapter)
    whole: dict[str, Found] = {}
    expected = run.run(keep=whole.__setitem__)
    done = {key: whole[key] for key in list(whole)[:5]}
    fresh, steps = [], []
    assert run.run(done=done, keep=lambda key, _: fresh.append(key), progress=steps.append) == expected
    assert fresh == list(whole)[5:]
    assert steps == [5] + [1] * 7
    known = whole["shift-4-0"]
    marked = replace(known, rows=[{**row, "srcc": 9.0} for row in known.rows])
    assert run.run(done={"shift-4-0": marked})[0] == marked


@pytest.mark.parametrize(
    "spoil",
    [
        lambda cells: cells[:-1],
        lambda cells: [*cells, cells[0]],
        lambda cells: cells[::-1],
        lambda cells: [{**cell, "train": "another"} for cell in cells],
        lambda cells: [{**cell, "k": 12} for cell in cells],
        lambda _: [],
    ],
)
def test_known_units_of_something_else_are_computed_again(ratings, vectors, plan, spoil):
    run = evaluation(ratings, vectors, plan, shift=Shift)
    whole: dict[str, Found] = {}
    expected = run.run(keep=whole.__setitem__)
    fresh = []
    spoilt = replace(whole["shift-4-1"], rows=spoil(whole["shift-4-1"].rows))
    found = run.run(done={**whole, "shift-4-1": spoilt}, keep=lambda key, _: fresh.append(key))
    assert (found, fresh) == (expected, ["shift-4-1"])


def test_a_known_unit_with_other_draws_is_computed_again(ratings, vectors, plan):
    run = evaluation(ratings, vectors, plan, shift=Shift)
    whole: dict[str, Found] = {}
    expected = run.run(keep=whole.__setitem__)
    done = {**whole, "shift-4-1": replace(whole["shift-4-1"], draws=[0.5])}
    assert run.run(done=done) == expected


def test_an_undefined_correlation_is_nan_and_stays_in_its_cell(vectors):
    rows = [("ana", f"{n}.jpg", 3.0) for n in range(10)]
    same = Ratings.from_rows(rows, scale=Scale(1, 5))
    plan = episodes(same, users=["ana"], shots=(4,), repeats=1, seed=0, dataset="toy")
    (cell,) = rows_of(evaluation(same, vectors, plan, generic=GenericAdapter).run())
    assert np.isnan([cell["srcc"], cell["plcc"], cell["pairwise"]]).all()
    assert (cell["n_query"], np.isfinite(cell["mae"])) == (6, True)


def test_people_do_not_hold_copies_of_their_vectors():
    n, wide = 400, 513
    images = [f"{i}.jpg" for i in range(100)]
    many = Ratings.from_rows(
        [(f"u{u}", image, 1.0 + (u + i) % 5) for u in range(n) for i, image in enumerate(images)],
        scale=Scale(1, 5),
    )
    known = Vectors(names=tuple(images), matrix=np.zeros((100, wide)))
    plan = episodes(many, users=many.user_names(), shots=(10,), repeats=1, seed=0, dataset="toy")
    tracemalloc.start()
    run = evaluation(many, known, plan, generic=GenericAdapter)
    run.run()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < n * 100 * wide * 8 / 4  # copies would take 164 MB


def test_the_cost_grows_with_the_number_of_users(vectors):
    def seconds(n: int) -> float:
        rows = [(f"u{u}", f"{i}.jpg", 1.0 + (u * i) % 5) for u in range(n) for i in range(20)]
        many = Ratings.from_rows(rows, scale=Scale(1, 5))
        plan = episodes(many, users=many.user_names(), shots=(5,), repeats=1, seed=0, dataset="toy")
        started = time.process_time()
        evaluation(many, vectors, plan, generic=GenericAdapter).run()
        return time.process_time() - started

    seconds(50)
    # Twenty times the users; a quadratic part of any weight would show. The margin is for a busy machine.
    assert seconds(2000) < 80 * min(seconds(100) for _ in range(3))


def test_a_rated_image_without_a_vector_is_an_error(ratings, vectors, plan):
    first = ratings.for_user(plan.episodes[0].user).images[2:4]
    rows = [row for row, name in enumerate(vectors.names) if name not in first]
    fewer = Vectors(names=tuple(vectors.names[row] for row in rows), matrix=vectors.matrix[rows])
    with pytest.raises(DatasetError) as caught:
        evaluation(ratings, fewer, plan, shift=Shift)
    assert str(caught.value) == (
        f"2 rated images have no model vector, the first: {first[0]}; "
        "embed them first or leave their ratings out"
    )


def test_a_user_of_the_plan_without_ratings_is_an_error(ratings, vectors, plan):
    others = ratings.take([row for row, user in enumerate(ratings.users) if user != "user 00"])
    with pytest.raises(RatingsError, match=r"^the ratings has no ratings by 'user 00' among its 36 users; "):
        evaluation(others, vectors, plan, shift=Shift)


@pytest.mark.parametrize("jobs", [1, 3])
def test_an_adapter_that_fails_ends_the_run_with_its_own_error(ratings, vectors, plan, jobs):
    class Fails(Shift):
        def predict(self, features):
            return Prediction(*(), **dict.fromkeys(("score", "low", "high"), np.full(len(features), np.nan)))

    kept = []
    with pytest.raises(PiaaError) as caught:
        evaluation(ratings, vectors, plan, generic=GenericAdapter, fails=Fails).run(
            jobs=jobs, keep=lambda key, _: kept.append(key)
        )
    assert str(caught.value).endswith(
        " predicted scores are not finite numbers; correct the adapter, or leave it out"
    )
    assert not any(key.startswith("fails") for key in kept)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("piaa-evaluate")]
