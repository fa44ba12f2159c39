"""The counts of the released label files; skipped where they are absent."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from protocols.datasets.flickr_aes import TEST_WORKERS
from protocols.datasets.load import load_dataset


@pytest.fixture(scope="module")
def labels(shared_data) -> Path:
    folder = shared_data / "labels"
    if not folder.is_dir():
        pytest.skip(reason="no released labels beside the checkout (../shared/data/labels)")
    return folder


def test_flickr_aes(labels):
    data = load_dataset("flickr-aes", labels / "flickr_aes")
    assert data.notes[0] == (
        "5,139 rows hold 5,138 ratings: 1 row repeats a pair of user and image; their scores were averaged"
    )
    assert len(data.ratings) == 5138
    assert len(data.means) == len(set(data.ratings.images)) == 4977
    per_worker = Counter(data.ratings.users)
    assert set(data.test_users) == set(per_worker)
    assert len(per_worker) == 37
    counts = list(per_worker.values())
    assert (min(counts), np.median(counts), max(counts)) == (112, 120, 180)
    # The worker of the pair that stands twice had 118 rows.
    assert per_worker["A192LAQKHD9LW"] == 117
    assert len(data.lists["train"]) == len(set(data.lists["train"])) == 36_564
    assert not set(data.lists["train"]) & set(data.means)


def test_flickr_aes_ids_are_the_released_ones(labels):
    text = (labels / "flickr_aes" / "test_workers_ID.csv").read_text()
    assert tuple(text.split()) == ("ID", *TEST_WORKERS)


def test_aadb(labels):
    data = load_dataset("aadb", labels / "aadb")
    assert {part: len(names) for part, names in data.lists.items()} == {"train": 8458, "test": 1000}
    assert len(data.means) == 9458
    means = np.array(list(data.means.values()))
    assert (means.min(), means.max()) == (1, 5)
    assert data.means["farm1_333_19438364933_087c8abc60_b.jpg"] == pytest.approx(2.2, abs=1e-12)
    # Five raters on 1..5 give steps of 1/5; that is why the means map onto 1..5 exactly.
    assert np.mean(np.abs(means * 5 - np.round(means * 5)) < 1e-9) > 0.96


def test_tad66k(labels):
    data = load_dataset("tad66k", labels / "tad66k")
    assert {part: len(names) for part, names in data.lists.items()} == {"train": 52_248, "test": 14_079}
    assert len(data.means) == 66_327
    assert (min(data.means.values()), max(data.means.values())) == (1.13, 9.46)


def test_ava_with_one_published_split(labels):
    folder = labels / "ava"
    data = load_dataset(
        "ava", folder, train=folder / "MPADA_AVA_train.lst", test=folder / "MPADA_AVA_test.lst"
    )
    assert len(data.counts) == len(data.means) == 25_551
    assert {part: len(names) for part, names in data.lists.items()} == {"train": 229_971, "test": 25_551}
    assert set(data.lists["test"]) == set(data.counts)
    assert not set(data.lists["train"]) & set(data.lists["test"])
    assert sum(map(sum, data.counts.values())) == 5_385_059
    assert data.notes[0] == "229,971 of 229,971 images of list train have no label in AVA.test_part.txt"
