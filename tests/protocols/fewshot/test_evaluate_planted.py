"""The protocol on people whose taste is known: it finds what theory predicts, and a leak shows.

A photo is a vector x of d standard normal features. A person's taste is a vector w of length s in a
random direction, a rating is w.x plus noise of deviation e. The ridge with penalty d e^2 / s^2 is the
posterior mean of w. With k ratings it leaves the share v of the signal's variance unknown, where, for
large d with k/d fixed (the Marchenko-Pastur law),

    1 / v = 1 + (k / d) r / (1 + r v),   r = s^2 / e^2,

a quadratic in v. As a posterior mean is uncorrelated with its own error, it correlates with noisy
ratings as sqrt(s^2 (1 - v) / (s^2 + e^2)). All is normal, so ranks correlate as 6/pi asin(rho / 2).
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from generic.errors import SplitLeak
from generic.metrics import spearman
from generic.seeds import stream
from piaa.adapters.prediction import Prediction
from piaa.ratings.scale import Scale
from piaa.ratings.table import Ratings
from protocols.datasets.dataset import Dataset, mean_scores
from protocols.fewshot.episode_metrics import measure
from protocols.fewshot.episodes import episodes
from protocols.fewshot.summary import compare, summarise
from protocols.splits.rules import make_split

SCALE = Scale(-20, 20)
"""So wide that no rating is ever cut off."""
D, SIGNAL, NOISE = 32, 1.0, math.sqrt(0.5)
SHOTS = (10, 100)


def expected(k):
    """Linear and rank correlation of prediction and rating, as the module says."""
    r, g = SIGNAL**2 / NOISE**2, k / D
    b = 1 + g * r - r
    v = (math.sqrt(b * b + 4 * r) - b) / (2 * r)
    rho = math.sqrt(SIGNAL**2 * (1 - v) / (SIGNAL**2 + NOISE**2))
    return {"plcc": rho, "srcc": 6 / math.pi * math.asin(rho / 2)}


def people(n_users, n_photos, *, taste=SIGNAL):
    """A dataset of people who rated photos of their own, and the features of every photo."""
    rows, features = [], {}
    for number in range(n_users):
        rng = stream(1, "planted", number)
        direction = rng.standard_normal(D)
        x = rng.standard_normal((n_photos, D))
        scores = x @ direction * (taste / np.linalg.norm(direction)) + NOISE * rng.standard_normal(n_photos)
        for place in range(n_photos):
            image = f"p{number}-{place}.jpg"
            features[image] = x[place]
            rows.append((f"u{number}", image, float(scores[place])))
    ratings = Ratings.from_rows(rows, scale=SCALE)
    data = Dataset(
        name="table",
        scale=SCALE,
        ratings=ratings,
        means=mean_scores(ratings),
        counts={},
        images=None,
        lists={},
        test_users=(),
        notes=(),
    )
    return data, features


def evaluate(data, features, predict, *, users, shots=SHOTS, repeats, query="rest"):
    """Columns of results: ``predict`` gives name -> unit scores of the query from support and query."""
    split = make_split(data, test_users=users)
    ratings = split.test_ratings(data.ratings)
    split.check_test(ratings)
    plan = episodes(
        ratings, users=split.test_users, shots=shots, repeats=repeats, seed=0, dataset="table", query=query
    )
    rows = []
    for e in plan.episodes:
        own = ratings.for_user(e.user)
        x = np.array([features[image] for image in own.images])
        for name, scores in predict(e, x, own.scores).items():
            nothing = np.full(len(scores), np.nan)
            prediction = Prediction(score=SCALE.to_unit(scores), low=nothing, high=nothing)
            numbers = measure(prediction, own.unit_scores[e.query], width=40.0)
            names = {"train": "none", "test": "table", "adapter": name, "user": e.user}
            rows.append({**names, "k": e.k, "repeat": e.repeat, **numbers})
    return {name: [row[name] for row in rows] for name in rows[0]}


def ridge(e, x, scores):
    a = x[e.support]
    penalty = D * NOISE**2 / SIGNAL**2
    weights = a.T @ np.linalg.solve(a @ a.T + penalty * np.eye(e.k), scores[e.support])
    return x[e.query] @ weights


@pytest.fixture(scope="module")
def planted():
    data, features = people(62, 400)

    def predict(e, x, scores):
        # The leaking method learns from the query too.
        everything = type(e)(
            user=e.user, k=len(scores), repeat=e.repeat, support=np.arange(len(scores)), query=e.query
        )
        return {"ridge": ridge(e, x, scores), "leak": ridge(everything, x, scores)}

    users = [f"u{number}" for number in range(60)]
    return evaluate(data, features, predict, users=users, repeats=6, query="common")


@pytest.mark.parametrize("metric", ["srcc", "plcc"])
def test_the_protocol_recovers_what_theory_predicts(planted, metric):
    found = {(line.adapter, line.k): line for line in summarise(planted, metric=metric)}
    for k in SHOTS:
        line = found["ridge", k]
        assert (line.n_users, line.n_repeats, line.dropped_results) == (60, 6, 0)
        assert line.low <= expected(k)[metric] <= line.high
        # An interval so narrow that the two k, or a leak, could not pass for one another.
        assert line.high - line.low < 0.05
        assert found["leak", k].low > line.high + 0.05
    (at_10, at_100) = (c for c in compare(planted, metric=metric))
    assert at_10.p_holm < 1e-6
    assert at_100.p_holm < 1e-6


def test_the_error_in_the_datasets_units_is_the_noise_that_is_left(planted):
    """The mean absolute value of a normal error of variance s^2 v + e^2."""
    for line in summarise(planted, metric="mae"):
        if line.adapter == "ridge":
            left = (SIGNAL**2 + NOISE**2) * (1 - expected(line.k)["plcc"] ** 2)
            assert line.mean == pytest.approx(math.sqrt(2 * left / math.pi), rel=0.02)


def test_the_closed_form_has_its_known_ends():
    assert expected(1e-9)["plcc"] == pytest.approx(0, abs=1e-4)
    assert expected(1e9)["plcc"] == pytest.approx(math.sqrt(SIGNAL**2 / (SIGNAL**2 + NOISE**2)), abs=1e-6)


def test_choosing_on_the_query_shows_as_the_bias_it_is():
    """200 random guesses for people without taste: honest choice finds nothing, the oracle a lot."""
    n_guesses, q = 200, 30
    data, features = people(31, q + 10, taste=0.0)

    def predict(e, _, scores):
        guesses = stream(2, "guesses", e.user, e.repeat).random((n_guesses, len(scores)))
        best = {}
        for name, rows in (("honest", e.support), ("oracle", e.query)):
            agreement = [spearman(guess[rows], scores[rows]) for guess in guesses]
            best[name] = guesses[int(np.argmax(agreement))][e.query]
        return best

    users = [f"u{number}" for number in range(30)]
    table = evaluate(data, features, predict, users=users, shots=(10,), repeats=2)
    honest, oracle = summarise(table)
    assert (honest.adapter, oracle.adapter) == ("honest", "oracle")
    assert honest.low <= 0 <= honest.high
    # The largest of 200 standard normals is 2.746 on average; a rank correlation deviates by 1/sqrt(q - 1).
    assert oracle.mean == pytest.approx(2.746 / math.sqrt(q - 1), abs=0.03)
    assert oracle.low > honest.high + 0.3
    (pair,) = compare(table)
    assert pair.p_holm < 1e-6


def test_a_generic_model_that_saw_the_support_is_caught():
    data, _ = people(3, 12)
    split = make_split(data, test_users=["u0"])
    split.check_training(users=split.train_users, images=split.training_means(data))
    plan = episodes(
        split.test_ratings(data.ratings),
        users=["u0"],
        shots=(10,),
        repeats=1,
        seed=0,
        dataset="table",
    )
    own = data.ratings.for_user("u0").images
    seen = [*split.train_images, *(own[row] for row in plan.episodes[0].support)]
    with pytest.raises(SplitLeak) as caught:
        split.check_training(images=seen)
    named = sorted(own[row] for row in plan.episodes[0].support)[:3]
    assert str(caught.value) == (
        "split of 'table': 10 of 34 images used in training are test images, "
        f"such as {', '.join(map(repr, named))}; train without them"
    )
