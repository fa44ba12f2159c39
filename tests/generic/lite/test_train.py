"""Training of the embedded default: closed forms against scikit-learn, then a whole run on twelve photos."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.kernel_ridge import KernelRidge

from generic.lite.piaa_lite import build
from generic.lite.stems import TUNED, Late, Stem, fold, fold_head
from generic.lite.train import LiteConfig, Stems, fit_pooled, split_folds, stem_maps, train_lite
from generic.lite.tune import TuneConfig, Tuner, predict

TUNE = TuneConfig(eat_dims=(32, 32), k_in=2, epochs=1, batch=4, runs=2)
CONFIG = LiteConfig(size=64, frozen_size=32, n_embedding=5, alpha=0.5, folds=3, seed=4, tune=TUNE)
N = 12


# ---- closed forms ----


@pytest.fixture(scope="module")
def pooled_data():
    rng = np.random.default_rng(0)
    # Features of very different size and of nine hidden causes; columns 3 and 7 are nearly constant.
    taps = rng.standard_normal((40, 9)) @ rng.standard_normal((9, 15)) * np.logspace(-2, 2, 15) + 3
    return taps, rng.random(40), rng.standard_normal((25, 9)) @ rng.standard_normal((9, 15)) + 3


def test_pooled_part_equals_scikit_learn(pooled_data):
    taps, scores, unseen = pooled_data
    config = LiteConfig(n_embedding=4, gamma=0.7, alpha=0.3)
    pooled = fit_pooled(taps, scores, config)

    # The small number keeps a feature that never changes from dividing by zero.
    mean, deviation = taps.mean(0), taps.std(0) + 1e-6
    length = math.sqrt(np.mean(np.sum(((taps - mean) / deviation) ** 2, axis=1)))
    pca = PCA(4, svd_solver="full").fit((taps - mean) / deviation)

    def embed(values):
        z = pca.transform((values - mean) / deviation) / length
        return z * np.sign(np.sum(z * pooled.embed(values), axis=0))

    np.testing.assert_allclose(pooled.embed(unseen), embed(unseen), rtol=0, atol=1e-8)
    ridge = KernelRidge(kernel="rbf", gamma=0.7, alpha=0.3).fit(embed(taps), scores - scores.mean())
    for values in (taps, unseen):
        expected = ridge.predict(embed(values)) + scores.mean()
        np.testing.assert_allclose(pooled.score(values), expected, rtol=0, atol=1e-8)


def test_embedding_is_in_units_of_mean_length_and_whitened_to_unit_variance(pooled_data):
    taps, scores, _ = pooled_data
    pooled = fit_pooled(taps, scores, LiteConfig(n_embedding=9))
    embedded = pooled.embed(taps)
    assert np.mean(np.sum(embedded**2, axis=1)) == pytest.approx(
        1, abs=1e-8
    )  # nine directions are all there is
    np.testing.assert_allclose((embedded * pooled.whiten).std(0), 1, rtol=0, atol=1e-8)
    assert (np.diff(embedded.std(0)) < 0).all()  # the widest first


def test_the_sign_of_each_direction_is_fixed(pooled_data):
    taps, scores, _ = pooled_data
    config = LiteConfig(n_embedding=6)
    one = fit_pooled(taps, scores, config)
    unscaled = one.project * (taps.std(0) + 1e-6)
    assert (unscaled[np.arange(6), np.abs(unscaled).argmax(1)] > 0).all()
    # The solver's own signs change with the order of the photos.
    for seed in range(8):
        order = np.random.default_rng(seed).permutation(40)
        other = fit_pooled(taps[order], scores[order], config)
        np.testing.assert_allclose(other.project, one.project, rtol=1e-7, atol=1e-12)


@given(st.integers(5, 60), st.integers(2, 5), st.integers(0, 3))
def test_folds_are_a_partition_of_nearly_equal_parts(n, folds, seed):
    config = LiteConfig(folds=folds, seed=seed)
    parts = split_folds(n, config)
    assert sorted(np.concatenate(parts).tolist()) == list(range(n))
    assert len(parts) == folds
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    again = split_folds(n, config)
    assert [part.tolist() for part in again] == [part.tolist() for part in parts]


def test_folds_are_random_and_named_by_the_seed():
    def folds(seed):
        return [part.tolist() for part in split_folds(12, LiteConfig(folds=3, seed=seed))]

    # The thirds of numpy's permutation from stream(0, "lite", "folds", 12), each sorted.
    assert folds(0) == [[1, 5, 9, 10], [3, 4, 6, 11], [0, 2, 7, 8]]
    assert folds(1) != folds(0)


# ---- a whole run ----


@pytest.fixture(scope="module")
def stems():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        stem, late = Stem(CONFIG.frozen_size).eval(), Late(TUNED).eval()
        for key, value in (*stem.state_dict().items(), *late.state_dict().items()):
            if key.endswith("running_var"):
                value.uniform_(0.2, 1.0)
    for part in (stem.frozen_early, stem.frozen_late, stem.early, late):
        fold(part)
    fold_head(late)
    return Stems(stem=stem.requires_grad_(requires_grad=False), late=late)


@pytest.fixture(scope="module")
def photos():
    rng = np.random.default_rng(0)
    colours, grain = rng.uniform(0, 256, (N, 1, 1, 3)), rng.integers(-60, 60, (N, 64, 64, 3))
    return np.clip(colours + grain, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def maps(stems, photos):
    return stem_maps(stems.stem, photos)


@pytest.fixture(scope="module")
def scores(photos):
    """The greener the better, and some noise."""
    green = photos[..., 1].mean((1, 2))
    noise = np.random.default_rng(1).standard_normal(N)
    return 0.5 + 0.1 * (green - green.mean()) / green.std() + 0.03 * noise


@pytest.fixture(scope="module")
def tastes():
    """One direction for the first half of the photos, one for the second."""
    values = np.full((N, 2), np.nan)
    values[: N // 2, 0] = values[N // 2 :, 1] = np.tile([1.0, -1.0], N // 4)
    return values


@pytest.fixture(scope="module")
def runs(stems, maps, scores, tastes):
    """Two runs from different states of the global generators, and what the first did to them."""
    with torch.random.fork_rng(devices=[]):
        before = torch.get_rng_state()
        numpy_before = np.random.get_state()[1].tolist()
        first = train_lite(stems, maps, scores, tastes, CONFIG)
        untouched = (
            torch.equal(torch.get_rng_state(), before) and np.random.get_state()[1].tolist() == numpy_before
        )
        torch.manual_seed(99)
        second = train_lite(stems, maps, scores, tastes, CONFIG)
    return first, second, untouched


@pytest.fixture(scope="module")
def trained(runs):
    return runs[0]


def as_input(photos):
    return torch.from_numpy(photos).permute(0, 3, 1, 2).float() / 127.5 - 1


def test_maps_hold_each_photo_and_its_mirror_image(stems, photos, maps):
    for side, pixels in enumerate((photos, photos[:, :, ::-1].copy())):
        taps, middle = stems.stem(as_input(pixels[[2, 7]]))
        torch.testing.assert_close(maps.taps[[2, 7], side], taps, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(maps.middle[[2, 7], side].float(), middle, rtol=0.01, atol=1e-3)
    assert maps.middle.shape == (N, 2, 120, 4, 4)
    assert (maps.taps[:, 0] - maps.taps[:, 1]).abs().max() > 0.01
    taken = maps.take(np.array([7, 2]))
    assert torch.equal(taken.taps, maps.taps[[7, 2]])
    assert torch.equal(taken.middle, maps.middle[[7, 2]])


def test_progress_counts_every_photo_once(stems, photos):
    done = []
    stem_maps(stems.stem, np.concatenate((photos, photos[:6])), done.append)
    assert done == [16, 2]


def the_tuner(stems):
    return Tuner(stems.late, size=CONFIG.size, config=TUNE, seed=CONFIG.seed)


def test_the_score_is_the_mean_of_kernel_head_and_tuned_branch(stems, photos, maps, scores, tastes, trained):
    pooled = fit_pooled(maps.taps.mean(1).double().numpy(), scores, CONFIG)
    targets = np.concatenate((scores[:, None], tastes), 1)
    branch = the_tuner(stems).train(maps.middle, targets, "all", runs=2)
    with torch.no_grad():
        taps, middle = stems.stem(as_input(photos))
        tuned = branch(middle)[:, 0].double().numpy()
        got, embedding = trained.network(as_input(photos))
    kernel = pooled.score(taps.double().numpy())
    assert np.abs(kernel - tuned).max() > 0.01
    np.testing.assert_allclose(got, (kernel + tuned) / 2, rtol=0, atol=1e-4)
    whitened = pooled.embed(taps.double().numpy()) * pooled.whiten
    np.testing.assert_allclose(embedding, whitened, rtol=1e-3, atol=1e-3)


def test_out_of_fold_scores_are_of_networks_that_have_not_seen_the_photo(
    stems, maps, scores, tastes, trained
):
    targets = np.concatenate((scores[:, None], tastes), 1)
    taps, expected = maps.taps.mean(1).double().numpy(), np.zeros(N)
    for number, held in enumerate(split_folds(N, CONFIG)):
        rest = np.array([row for row in range(N) if row not in held])
        kernel = fit_pooled(taps[rest], scores[rest], CONFIG).score(taps[held])
        own = maps.take(rest).middle
        branch = the_tuner(stems).train(own, targets[rest], f"fold {number}", runs=1)
        expected[held] = (kernel + predict(branch, maps.take(held).middle)) / 2
    np.testing.assert_allclose(trained.out_of_fold, expected, rtol=0, atol=1e-6)


def test_training_twice_gives_the_same_bits(runs):
    first, second, _ = runs
    assert first.out_of_fold.tobytes() == second.out_of_fold.tobytes()
    state, again = first.network.state_dict(), second.network.state_dict()
    assert state.keys() == again.keys()
    assert all(torch.equal(state[key], again[key]) for key in state)


def test_training_leaves_the_global_generators_alone(runs):
    assert runs[2]


def test_the_stem_is_not_trained(stems, trained):
    before, after = stems.stem.state_dict(), trained.network.stem.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(after[key], before[key]) for key in before)


def test_a_trained_network_is_ready_for_a_model_file(photos, trained):
    assert not trained.network.training
    state = {key: value.numpy() for key, value in trained.network.state_dict().items()}
    network = build(trained.architecture, state)
    with torch.no_grad():
        expected, got = trained.network(as_input(photos[:2])), network(as_input(photos[:2]))
    for one, other in zip(expected, got, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-4)
