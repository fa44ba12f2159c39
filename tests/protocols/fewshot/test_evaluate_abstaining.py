"""Whoever says the same of every photo where she is unsure does not gain by it: all rows are of one set."""

from __future__ import annotations

import numpy as np
import pytest

from piaa.adapters.base import Adapter, Prediction
from piaa.adapters.generic import GenericAdapter
from piaa.ratings.scale import Scale
from piaa.ratings.table import Ratings
from protocols.fewshot.episodes import episodes
from protocols.fewshot.evaluate import Evaluation
from protocols.fewshot.results import Results
from protocols.fewshot.vectors import Vectors
from protocols.report.build import collect

N_PHOTOS, N_PEOPLE, K = 30, 24, 6
CONSTANT = "user 00"
"""She gave one score to every photo."""


class Abstains(Adapter):
    """The generic score for whoever it seems to suit, and one score for all photos of the others."""

    name = "abstains"

    def fit(self, features, unit_scores):
        if np.ptp(unit_scores) > 0:
            self.sure = np.corrcoef(features[:, 0], unit_scores)[0, 1] > 0.4
        else:
            self.sure = False
        return self

    def predict(self, features):
        score = features[:, 0] if self.sure else np.full(len(features), 0.5)
        return Prediction.from_normal(score, np.full(len(score), 0.2))

    def state(self):
        return {"sure": np.array(self.sure)}

    def restore(self, state):
        self.sure = bool(state["sure"])
        return self


@pytest.fixture(scope="module")
def results() -> Results:
    """People whom the generic score suits from not at all to well."""
    rng = np.random.default_rng(6)
    matrix = np.column_stack((rng.uniform(0, 1, N_PHOTOS), rng.standard_normal((N_PHOTOS, 3))))
    names = tuple(f"{n}.jpg" for n in range(N_PHOTOS))
    rows = []
    for number in range(N_PEOPLE):
        user, suits = f"user {number:02d}", number / N_PEOPLE
        unit = suits * matrix[:, 0] + (1 - suits) * rng.uniform(0, 1, N_PHOTOS)
        scores = np.full(N_PHOTOS, 3.0) if user == CONSTANT else np.round(1 + 4 * unit)
        rows += [(user, name, float(score)) for name, score in zip(names, scores, strict=True)]
    ratings = Ratings.from_rows(rows, scale=Scale(1, 5))
    plan = episodes(ratings, users=ratings.user_names(), shots=(K,), repeats=5, seed=0, dataset="toy")
    adapters = {"generic": GenericAdapter, "abstains": Abstains}
    vectors = Vectors(names=names, matrix=matrix)
    found = Evaluation(ratings, vectors, plan, adapters, train="a", test="toy").run()
    return Results.from_rows({}, [row for unit in found for row in unit.rows])


def test_saying_nothing_does_not_win(results):
    table = results.to_frame()
    sure = table[(table.adapter == "abstains") & (table.srcc != 0)]
    # Left out where it said nothing, as the rule was before, it would lead by far.
    generic, abstains = (row.cells[K].mean for row in collect(results).tables[0].rows)
    assert sure.srcc.mean() > generic + 0.1
    assert abstains < generic
    everywhere = table[(table.adapter == "abstains") & (table.user != CONSTANT)]
    assert abstains == pytest.approx(everywhere.srcc.mean(), abs=1e-12)


def test_all_rows_are_over_the_same_users_and_repeats(results):
    table = results.to_frame().set_index(["user", "repeat"])
    there = {name: set(part.index[part.srcc.notna()]) for name, part in table.groupby("adapter")}
    assert there["generic"] == there["abstains"]
    assert len(there["generic"]) == (N_PEOPLE - 1) * 5
    details = [row.cells[K].detail.srcc for row in collect(results).tables[0].rows]
    assert [(line.n_users, line.dropped_users, line.dropped_results) for line in details] == [(23, 1, 5)] * 2
