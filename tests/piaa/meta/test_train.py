"""Meta-training on planted users: what it is worth, going on after a stop, files."""

from __future__ import annotations

import dataclasses
import importlib.util

import numpy as np
import pytest

from generic.errors import CheckpointError, ModelMismatch, TooFewRatings
from generic.metrics import spearman
from generic.model.checkpoint import Header, save_checkpoint
from piaa.adapters.registry import ADAPTERS, make_adapter
from piaa.meta.config import ALGORITHMS, MetaConfig
from piaa.meta.start import Start
from piaa.meta.train import PROGRESS, MetaTraining

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("learn2learn") is None, reason="learn2learn is not installed (extra meta)"
)
N, D = 160, 6
HASH = "ab" * 32
ORIGIN = {"dataset": "planted", "users": ["u0"], "images_sha256": []}


def world():
    """Photos, and people whose tastes lie along two of six directions, the first one bent."""
    rng = np.random.default_rng(0)
    vectors = np.column_stack((rng.normal(0.5, 0.1, N), rng.standard_normal((N, D))))

    def person(seed, n):
        own = np.random.default_rng(seed)
        rows = own.permutation(N)[:n]
        one, two = own.normal(0, 0.12, 2)
        taste = one * np.tanh(2 * vectors[rows, 1]) + two * vectors[rows, 2]
        return rows, (vectors[rows, 0] + taste + own.normal(0, 0.03, n)).clip(0, 1)

    return vectors, person


def training(algorithm="anil", *, n_users=40, **settings):
    vectors, person = world()
    people = [(f"u{number}", *person(number, 60)) for number in range(n_users)]
    config = MetaConfig(
        **{
            "algorithm": algorithm,
            "epochs": 8,
            "units": 12,
            "noise": 0.1,
            "meta_rate": 0.02,
            "rate": 0.3,
            "batch": 4,
            **settings,
        }
    )
    return MetaTraining(vectors, people, config, model_hash=HASH, origin=ORIGIN)


@pytest.fixture(scope="module")
def starts(tmp_path_factory) -> dict[str, Start]:
    folder = tmp_path_factory.mktemp("starts")
    return {name: training(name).run(folder / f"{name}.safetensors") for name in ALGORITHMS}


def error(start, k=10):
    """Mean squared error and SRCC of new people's other photos."""
    vectors, person = world()
    found = []
    for seed in range(1000, 1030):
        rows, scores = person(seed, 100)
        adapter = ADAPTERS[start.algorithm](start).fit(vectors[rows[:k]], scores[:k])
        predicted = adapter.predict(vectors[rows[k:]]).score
        found.append((np.mean((predicted - scores[k:]) ** 2), spearman(predicted, scores[k:])))
    return np.mean(found, axis=0)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_learned_start_beats_a_random_one_and_none_at_all(starts, algorithm):
    start = starts[algorithm]
    rng = np.random.default_rng(3)
    weights = {key: rng.normal(0, 0.06, value.shape) for key, value in start.weights.items()}
    drawn = dataclasses.replace(start, weights=weights)
    untouched = dataclasses.replace(
        start, choices=dataclasses.replace(start.choices, steps=0 * start.choices.steps)
    )
    learned, random, none = error(start), error(drawn), error(untouched)
    assert learned[0] < 0.8 * random[0]
    assert learned[0] < 0.8 * none[0]
    assert learned[1] > max(random[1], none[1]) + 0.05


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_more_ratings_help(starts, algorithm):
    few, many = error(starts[algorithm], 3), error(starts[algorithm], 40)
    assert many[0] < few[0]


def test_anil_leaves_the_body_of_a_person_alone(starts):
    vectors, person = world()
    rows, scores = person(1, 30)
    for name, start in starts.items():
        state = ADAPTERS[name](start).fit(vectors[rows], scores).state()
        moved = [
            key for key in start.weights if not np.array_equal(state[key], np.float32(start.weights[key]))
        ]
        assert moved == (["last.weight", "last.bias"] if name == "anil" else list(start.weights)), name


def test_a_start_is_worth_on_held_out_users_what_its_file_says(starts):
    for start in starts.values():
        (figures,) = start.figures.values()
        assert list(figures) == ["k=1", "k=3", "k=10", "k=30"]
        assert all(found["users"] == 6 for found in figures.values())
        assert figures["k=30"]["mse"] < figures["k=1"]["mse"] < figures["k=1"]["mse_generic"]


def test_a_start_is_the_same_from_its_file(starts, tmp_path):
    saved = starts["meta-sgd"].save(tmp_path / "again.safetensors")
    loaded = Start.load(tmp_path / "again.safetensors")
    assert saved.hash == loaded.hash == starts["meta-sgd"].hash
    for part in ("weights", "rates"):
        assert all(np.array_equal(v, getattr(saved, part)[k]) for k, v in getattr(loaded, part).items())
    assert loaded.training["users"] == ["u0"]
    np.testing.assert_equal(error(loaded), error(starts["meta-sgd"]))


@pytest.mark.parametrize("stop", [1, 4])
def test_a_run_that_was_stopped_ends_with_the_same_bits(starts, tmp_path, stop):
    out, epochs = tmp_path / "meta-sgd.safetensors", []

    def interrupt(done):
        epochs.append(done)
        if sum(epochs) == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training("meta-sgd").run(out, progress=interrupt)
    assert not out.exists()
    went_on = []
    assert training("meta-sgd").run(out, progress=went_on.append).hash == starts["meta-sgd"].hash
    assert went_on[0] == stop
    assert sum(went_on) == 8
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_first_order_learns_too(tmp_path, starts):
    start = training("maml", first_order=True).run(tmp_path / "maml.safetensors")
    assert start.hash != starts["maml"].hash
    (figures,) = start.figures.values()
    assert figures["k=30"]["mse"] < figures["k=1"]["mse_generic"]


def test_progress_of_another_run_is_not_gone_on_with(tmp_path):
    out = tmp_path / "anil.safetensors"

    def interrupt(done):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training().run(out, progress=interrupt)
    kept = out.with_name(out.name + PROGRESS)
    before = kept.read_bytes()
    with pytest.raises(CheckpointError) as caught:
        training(seed=1).run(out)
    assert str(caught.value) == (
        f"progress file {kept} is of another run, with other data or settings; "
        f"delete it, or name another file with --out"
    )
    kept.write_bytes(before[:-9] + b"x" + before[-8:])
    with pytest.raises(CheckpointError) as caught:
        training().run(out)
    assert str(caught.value) == f"progress file {kept} is damaged; delete it to begin anew"


def test_photos_that_leave_too_little(tmp_path):
    with pytest.raises(TooFewRatings) as caught:
        training(shots=(55, 58))
    assert str(caught.value) == (
        "meta-training holds 20% of the photos out, which leaves 0 users to learn from and 0 to stop by, "
        "but needs 2 and 2; give more ratings, or lower --shots"
    )


def test_files_that_are_no_start_for_this(starts, tmp_path):
    path = tmp_path / "anil.safetensors"
    starts["anil"].save(path)
    loaded = Start.load(path)
    loaded.check("anil", "piaa-tiny", HASH, path)
    with pytest.raises(CheckpointError) as caught:
        loaded.check("maml", "piaa-tiny", HASH, path)
    assert str(caught.value) == (
        f"{path} is a start for adapter 'anil', not for 'maml'; "
        f"use --adapter anil, or run `piaa meta-train --algorithm maml`"
    )
    with pytest.raises(ModelMismatch) as caught:
        loaded.check("anil", "piaa-tiny", "cd" * 32, path)
    assert str(caught.value) == (
        f"start {path} was meta-trained on model abababab, but the loaded model is piaa-tiny cdcdcdcd; "
        f"pass the other with --model, or meta-train on this one"
    )
    other = tmp_path / "other.safetensors"
    save_checkpoint(
        other, Header(name="x", architecture={"kind": "eat_lite"}, scale=(1.0, 5.0)), {"a": np.zeros(2)}
    )
    with pytest.raises(CheckpointError) as caught:
        Start.load(other)
    assert str(caught.value) == (
        f"{other} is no meta-learned start: it holds a network of kind 'eat_lite'; "
        f"name a file that `piaa meta-train` wrote"
    )


def test_a_person_is_restored_without_the_start_but_not_fitted(starts):
    vectors, person = world()
    rows, scores = person(1, 30)
    fitted = ADAPTERS["maml"](starts["maml"]).fit(vectors[rows], scores)
    restored = make_adapter("maml", None).restore(fitted.state())
    assert restored.predict(vectors).score.tobytes() == fitted.predict(vectors).score.tobytes()
    with pytest.raises(CheckpointError) as caught:
        restored.fit(vectors[rows], scores)
    assert str(caught.value) == (
        "adapter 'maml' needs a start that `piaa meta-train --algorithm maml --out FILE` learned; "
        "pass it with --meta FILE, or as --adapter maml=FILE to `piaa evaluate`"
    )
