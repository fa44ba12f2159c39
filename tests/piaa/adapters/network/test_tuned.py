"""What ``lora`` and ``finetune`` promise: one battery, on the real network with random weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.numpy import load, save

from generic.errors import CheckpointError, NotFitted, ShapeError, StoreError, TooFewRatings
from generic.model.generic_model import GenericModel
from generic.photos.open import load_pixels
from generic.seeds import stream
from piaa.adapters.base import Photos
from piaa.adapters.network.tune import MIN_RATINGS, TuneConfig, cross_validate
from piaa.adapters.registry import ADAPTERS, make_adapter

FIELDS = ("score", "low", "high")


@pytest.fixture(scope="module")
def photos(tiny, album, names) -> Photos:
    """The album's twelve photos, each also upside down and mirrored: 36."""
    once = np.stack([load_pixels(album / name, tiny.size) for name in names])
    pixels = np.concatenate([once, once[:, ::-1], once[:, :, ::-1]])
    vectors = np.concatenate([tiny.vectors(pixels[row : row + 12]) for row in range(0, len(pixels), 12)])
    return Photos(vectors=vectors, pixels=pixels)


@pytest.fixture(scope="module")
def ratings(photos) -> np.ndarray:
    """Of someone who likes bright photos, whatever the crowd says."""
    brightness = photos.pixels.mean(axis=(1, 2, 3))
    return 0.1 + 0.8 * (brightness - brightness.min()) / np.ptp(brightness)


@pytest.fixture(scope="module", params=[name for name, kind in ADAPTERS.items() if kind.needs_pixels])
def name(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def make(name, tiny):
    return lambda **options: make_adapter(name, None, generic=tiny, **options)


@pytest.fixture(scope="module")
def fitted(make, photos, ratings):
    """Fitted on every second photo."""
    rows = np.arange(0, len(ratings), 2)
    adapter = make(keep_epochs=True).fit(photos.take(rows), ratings[rows])
    assert any(key.startswith("change.") for key in adapter.state()), "nothing was learned: no test of it"
    return adapter


def assert_same_bits(one, other):
    for field in FIELDS:
        assert getattr(one, field).tobytes() == getattr(other, field).tobytes(), field


def test_they_ask_for_photos(make):
    assert make().needs_pixels


def test_what_is_learned_serves_new_photos(fitted, photos, ratings):
    learned, new = np.arange(0, len(ratings), 2), np.arange(1, len(ratings), 2)
    predicted = fitted.predict(photos.take(new))
    level = np.mean(ratings[learned] - photos.vectors[learned, 0])
    errors = predicted.score - ratings[new], photos.vectors[new, 0] + level - ratings[new]
    assert np.mean(errors[0] ** 2) < np.mean(errors[1] ** 2)
    assert (predicted.low <= predicted.score).all()
    assert (predicted.score <= predicted.high).all()
    assert predicted.low.min() >= 0
    assert predicted.high.max() <= 1


def test_the_generic_network_stays_as_it_is(fitted, tiny, photos, tiny_model):
    again = GenericModel(tiny_model)
    assert tiny.vectors(photos.pixels[:4]).tobytes() == again.vectors(photos.pixels[:4]).tobytes()
    assert fitted.predict(photos.take(np.arange(4))).score.shape == (4,)


def test_a_score_does_not_depend_on_what_else_is_scored(fitted, photos):
    together = fitted.predict(photos)
    for row in (0, 7, 35):
        alone = fitted.predict(photos.take(np.array([row])))
        for field in FIELDS:
            assert getattr(alone, field).tobytes() == getattr(together, field)[row : row + 1].tobytes(), field


def test_state_restores_the_person_bit_for_bit_also_through_a_file(fitted, make, photos):
    state = fitted.state()
    content = save({key: np.asarray(value, order="C") for key, value in state.items()})
    for again in (state, load(content)):
        restored = make().restore(again)
        assert_same_bits(restored.predict(photos), fitted.predict(photos))
        assert restored.n_bytes == fitted.n_bytes


def test_refitting_is_a_fresh_fit_and_the_order_does_not_matter(fitted, make, photos, ratings):
    rows = np.arange(0, len(ratings), 2)
    other = make().fit(photos.take(np.arange(MIN_RATINGS)), 1 - ratings[:MIN_RATINGS])
    order = np.random.default_rng(0).permutation(rows)
    again = other.fit(photos.take(order), ratings[order])
    assert_same_bits(again.predict(photos), fitted.predict(photos))


@pytest.mark.parametrize("k", [1, 2, MIN_RATINGS - 1])
def test_few_ratings_teach_the_level_alone(make, photos, ratings, k):
    rows = np.arange(k)
    adapter = make().fit(photos.take(rows), ratings[:k])
    state = adapter.state()
    assert set(state) == {"level", "deviation", "format"}
    assert state["level"] == pytest.approx((ratings[:k] - photos.vectors[:k, 0]).sum() / (k + 1), abs=1e-12)
    order = np.argsort(adapter.predict(photos).score)
    assert list(order) == list(np.argsort(photos.vectors[:, 0]))
    assert adapter.n_bytes == 16


@pytest.mark.parametrize("rating", [0.0, 1.0])
def test_equal_ratings_are_enough(make, photos, rating):
    rows = np.arange(MIN_RATINGS)
    predicted = make().fit(photos.take(rows), np.full(MIN_RATINGS, rating)).predict(photos)
    assert np.isfinite(predicted.score).all()
    assert predicted.score.min() >= 0
    assert predicted.score.max() <= 1


def test_ratings_that_contradict_themselves_leave_the_ranking_to_the_crowd(make, photos):
    """Cross-validation finds nothing in noise: the network is not touched."""
    noise = np.tile([0.0, 1.0], 6)
    rows = np.repeat(np.arange(6), 2)
    adapter = make().fit(photos.take(rows), noise)
    assert set(adapter.state()) == {"level", "deviation", "format"}


def test_epochs_begin_with_the_level_and_hold_the_chosen_one(fitted, photos):
    epochs = fitted.predict_epochs(photos)
    assert len(epochs) == fitted.settings().epochs + 1
    assert list(np.argsort(epochs[0].score)) == list(np.argsort(photos.vectors[:, 0]))
    chosen = fitted.predict(photos).score.tobytes()
    assert chosen in [epoch.score.tobytes() for epoch in epochs[1:]]


def test_a_person_shares_with_the_network_what_did_not_change(fitted, name, tiny):
    total = sum(p.numel() * p.element_size() for p in tiny.network.parameters())
    stored = sum(value.nbytes for value in fitted.state().values())
    assert stored < fitted.n_bytes
    if name == "lora":
        assert fitted.n_bytes < 0.35 * total
    else:
        assert 0.9 * total < fitted.n_bytes < 1.6 * total


def test_bad_input(make, photos, ratings):
    with pytest.raises(NotFitted) as caught:
        make().predict(photos)
    assert str(caught.value).endswith("is not fitted; call fit(features, unit_scores) first")
    with pytest.raises(TooFewRatings):
        make().fit(photos.take(np.arange(0)), np.zeros(0))
    with pytest.raises(ShapeError):
        make().fit(photos, ratings[:4])


def test_a_state_of_other_layers(make, fitted):
    state = fitted.state()
    del state[next(key for key in state if key.startswith("change."))]
    n = sum(key.startswith("change.") for key in state)
    with pytest.raises(CheckpointError) as caught:
        make().restore(state)
    assert str(caught.value) == (
        f"a stored person has {n} tensors that do not fit the {n + 1} that this piaa trains; "
        "fit the person again"
    )


def test_a_state_with_other_numbers(make, fitted, name):
    state = fitted.state()
    state["spread"] = state.pop("level")
    with pytest.raises(CheckpointError) as caught:
        make().restore(state)
    assert str(caught.value) == (
        f"a stored person of adapter {name!r} has ['deviation', 'format', 'spread'] beside the network's "
        "change, expected ['deviation', 'format', 'level']; fit the person again"
    )


@pytest.mark.parametrize(("version", "age"), [(None, "an older"), (1, "an older"), (4, "a newer")])
def test_a_state_of_another_format(make, fitted, name, version, age):
    state = fitted.state()
    del state["format"]
    if version is not None:
        state["format"] = np.array(version)
    with pytest.raises(StoreError) as caught:
        make().restore(state)
    assert str(caught.value).startswith(
        f"adapter {name!r} was saved by {age} piaa (state format {version or 1}, this piaa reads 2 to 3); "
    )


@pytest.mark.parametrize("k", [1, 2, MIN_RATINGS - 1])
def test_few_ratings_give_an_interval_from_errors_without_the_rating_itself(make, photos, ratings, k):
    some = photos.take(np.arange(k))
    deviation = make().fit(some, ratings[:k]).state()["deviation"]
    residual = ratings[:k] - some.vectors[:, 0]
    squares = [(np.delete(residual, one).sum() / k - residual[one]) ** 2 for one in range(k)]
    np.testing.assert_allclose(deviation, np.sqrt((10 * 0.25**2 + sum(squares)) / (10 + k)), rtol=1e-6)


def test_without_a_model(name):
    with pytest.raises(CheckpointError) as caught:
        make_adapter(name, None)
    assert str(caught.value) == f"adapter {name!r} needs a generic model, whose network it changes"


def test_fitting_draws_nothing_from_the_global_stream(make, photos, ratings):
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    make().fit(photos.take(np.arange(MIN_RATINGS)), ratings[:MIN_RATINGS])
    assert torch.equal(torch.rand(3), wanted)


def test_the_level_of_held_out_ratings_is_that_of_the_others():
    """Read is the generic score whatever is trained, so that the errors are those of the level alone."""
    rng = np.random.default_rng(0)
    generic, scores = rng.random(12), rng.random(12)
    parameter = torch.nn.Parameter(torch.zeros(1))

    def read(rows):
        return torch.from_numpy(generic)[rows] + 0 * parameter

    settings = TuneConfig(rate=0.1, epochs=1, pull=0.0, gate="error")
    start = {"p": torch.zeros(1)}
    found = cross_validate({"p": parameter}, start, read, scores, generic, settings)
    assert found.epochs == 0
    for held in np.array_split(stream(0, "tune", "folds", 12).permutation(12), settings.folds):
        rest = np.setdiff1d(np.arange(12), held)
        level = (scores[rest] - generic[rest]).sum() / (len(rest) + 1)
        np.testing.assert_allclose(found.errors[held], generic[held] + level - scores[held], atol=1e-12)
