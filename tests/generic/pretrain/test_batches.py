"""Which photo is in which batch on which process, and what is done to it."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from generic.errors import TrainingError
from generic.pretrain.batches import PhotoReader, Plan, in_order, random_box
from generic.pretrain.config import Settings
from generic.pretrain.objective import Targets
from generic.pretrain.photos import FolderSource, Photos


@st.composite
def plans(draw):
    """Photos, processes, passes and settings that divide."""
    n_processes, micro, passes = (draw(st.integers(1, 3)) for _ in range(3))
    batch = n_processes * micro * passes
    n = draw(st.integers(batch, 4 * batch + 3))
    settings = Settings(
        batch=batch, micro_batch=micro, epochs=draw(st.integers(1, 3)), seed=draw(st.integers(0, 9))
    )
    return n, n_processes, settings


def steps_of(n: int, n_processes: int, settings: Settings, first_step: int = 0) -> list[list[tuple]]:
    """The photos of every step, put together from all processes: pass by pass, process by process."""
    shares = []
    for process in range(n_processes):
        plan = Plan(n, settings, process=process, n_processes=n_processes)
        plan.first_step = first_step
        mine = list(plan)
        assert len(mine) == len(plan)
        assert {len(keys) for keys in mine} <= {plan.micro}
        shares.append(mine)
    passes = [[key for keys in of_all for key in keys] for of_all in zip(*shares, strict=True)]
    n_passes = settings.batch // (settings.micro_batch * n_processes)
    return [list(chain(*passes[at : at + n_passes])) for at in range(0, len(passes), n_passes)]


@given(plans())
def test_an_epoch_has_each_photo_at_most_once_and_leaves_out_less_than_a_batch(given_plan):
    n, n_processes, settings = given_plan
    steps = steps_of(n, n_processes, settings)
    per_epoch = n // settings.batch
    assert len(steps) == per_epoch * settings.epochs
    for epoch in range(settings.epochs):
        keys = list(chain(*steps[epoch * per_epoch : (epoch + 1) * per_epoch]))
        assert {key[0] for key in keys} == {epoch}
        rows = [row for _, row in keys]
        assert len(set(rows)) == len(rows) > n - settings.batch
        assert set(rows) <= set(range(n))


@given(plans())
def test_processes_and_passes_do_not_change_what_a_step_learns_from(given_plan):
    n, n_processes, settings = given_plan
    alone = Settings(
        batch=settings.batch, micro_batch=settings.batch, epochs=settings.epochs, seed=settings.seed
    )
    assert steps_of(n, n_processes, settings) == steps_of(n, 1, alone)


@given(plans(), st.data())
def test_going_on_from_a_step_is_the_rest_of_the_whole(given_plan, data):
    n, n_processes, settings = given_plan
    whole = steps_of(n, n_processes, settings)
    first = data.draw(st.integers(0, len(whole)))
    assert steps_of(n, n_processes, settings, first) == whole[first:]


def test_epochs_and_seeds_are_shuffled_differently():
    orders = [
        Plan(64, Settings(batch=8, seed=seed)).order(epoch).tolist() for seed in (0, 1) for epoch in (0, 1)
    ]
    assert len({tuple(order) for order in orders}) == 4
    assert all(sorted(order) == list(range(64)) for order in orders)


@pytest.mark.parametrize(
    ("n", "n_processes", "options", "message"),
    [
        (
            *(3, 1, {"batch": 4}),
            "there are 3 photos to train on, fewer than the 4 of one batch; give more, or --batch 3",
        ),
        (
            *(9, 2, {"batch": 5}),
            "a batch of 5 photos cannot be cut into 2 processes with passes of 2; choose --batch as a "
            "multiple of their product",
        ),
        (
            *(9, 1, {"batch": 8, "micro_batch": 3}),
            "a batch of 8 photos cannot be cut into 1 process with passes of 3; choose --batch as a "
            "multiple of their product",
        ),
    ],
)
def test_what_does_not_divide(n, n_processes, options, message):
    with pytest.raises(TrainingError) as caught:
        Plan(n, Settings(**options), n_processes=n_processes)
    assert str(caught.value) == message


@given(n=st.integers(0, 40), micro=st.integers(1, 7), n_processes=st.integers(1, 4))
def test_each_photo_is_validated_once(n, micro, n_processes):
    passes = [
        keys
        for process in range(n_processes)
        for keys in in_order(n, micro, process=process, n_processes=n_processes)
    ]
    assert sorted(row for keys in passes for _, row in keys) == list(range(n))
    assert all(1 <= len(keys) <= micro for keys in passes)


@given(seed=st.integers(0, 1000), least=st.floats(0.05, 1))
def test_a_crop_keeps_its_share_and_the_aspect(seed, least):
    left, top, right, bottom = random_box(np.random.default_rng(seed), least)
    assert 0 <= left < right <= 1
    assert 0 <= top < bottom <= 1
    assert right - left == pytest.approx(bottom - top, abs=1e-9)
    assert (right - left) * (bottom - top) >= least - 1e-9


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Photos:
    """Forty noisy photos."""
    folder = tmp_path_factory.mktemp("noise")
    rng = np.random.default_rng(0)
    names = [f"{number:02d}.png" for number in range(40)]
    for name in names:
        Image.fromarray(rng.integers(0, 256, (24, 24, 3), np.uint8)).save(folder / name)
    source = FolderSource({name: folder / name for name in names})
    return Photos(names=names, source=source, targets=Targets(scores=torch.zeros(40)))


def read(photos: Photos, epoch: int, **options) -> np.ndarray:
    reader = PhotoReader(photos, 24, Settings(**options))
    return np.stack([reader[epoch, row][0] for row in range(len(photos))])


def test_half_of_the_photos_are_mirrored_and_nothing_else_is_done(photos):
    plain = read(photos, -1)
    changed = read(photos, 0)
    mirrored = [np.array_equal(a[:, ::-1], b) for a, b in zip(plain, changed, strict=True)]
    same = [np.array_equal(a, b) for a, b in zip(plain, changed, strict=True)]
    assert [a != b for a, b in zip(mirrored, same, strict=True)] == [True] * 40
    assert 10 <= sum(mirrored) <= 30
    assert np.array_equal(read(photos, 0), changed)  # a function of seed, epoch and photo alone
    assert not np.array_equal(read(photos, 1), changed)
    assert not np.array_equal(read(photos, 0, seed=1), changed)
    assert np.array_equal(read(photos, 0, flip=False), plain)


def test_crops_are_for_training_alone(photos):
    assert np.array_equal(read(photos, -1, crop=0.5), read(photos, -1))
    assert not np.array_equal(read(photos, 0, crop=0.5, flip=False), read(photos, -1))
