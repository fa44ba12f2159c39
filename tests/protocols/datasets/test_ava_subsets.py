"""AVA1 and AVA2 as the second paper defines them."""

from __future__ import annotations

import numpy as np
import pytest

from generic.errors import DatasetError
from protocols.datasets.check import check
from protocols.datasets.load import load_dataset
from protocols.splits.rules import make_split
from protocols.training.pretrain_data import threshold_of


def write(root, means) -> None:
    """One image for each mean score: its ten votes lie on the two whole scores around it."""
    rows = []
    for number, mean in enumerate(means, 1):
        counts = [0] * 11
        low = min(int(mean), 9)
        counts[low - 1] = round(10 * (low + 1 - mean))
        counts[low] = 10 - counts[low - 1]
        rows.append(f"{number} {1000 + number} {' '.join(map(str, counts[:10]))} 1 22 1396")
    (root / "AVA.txt").write_text("\n".join(rows) + "\n")


@pytest.fixture
def means() -> np.ndarray:
    """Forty mean scores, shuffled, from 3.0 to 6.9."""
    return np.random.default_rng(1).permutation(np.arange(30, 70) / 10)


def test_ava1_is_all_of_ava_in_two_classes(root, means):
    write(root, means)
    data = load_dataset("ava1", root)
    assert sorted(data.means.values()) == pytest.approx(sorted(means))
    assert data.notes[0] == "19 images above 5, 21 not"
    assert threshold_of(data) == 5
    assert {part: len(names) for part, names in data.lists.items()} == {"train": 36, "test": 4}
    split = make_split(data)
    assert set(split.train_images).isdisjoint(split.test_images)


def test_ava2_is_the_tenth_at_each_end(root, means):
    write(root, means)
    data = load_dataset("ava2", root)
    assert sorted(data.means.values()) == pytest.approx([3.0, 3.1, 3.2, 3.3, 6.6, 6.7, 6.8, 6.9])
    assert set(data.counts) == set(data.means)
    assert (
        data.notes[0] == "the 4 images with the lowest means (up to 3.300) and with the highest (from 6.600)"
    )
    assert sum(map(len, data.lists.values())) == 8


def test_rows_in_another_order_give_the_same_subset(root, means):
    write(root, means)
    before = load_dataset("ava2", root)
    lines = (root / "AVA.txt").read_text().splitlines()
    (root / "AVA.txt").write_text("\n".join(reversed(lines)) + "\n")
    after = load_dataset("ava2", root)
    assert (after.means, after.lists) == (before.means, before.lists)


def test_too_few_for_a_tenth(root, means):
    write(root, means[:9])
    with pytest.raises(DatasetError) as caught:
        load_dataset("ava2", root)
    assert str(caught.value) == (
        "AVA2 takes a tenth at each end, and there are 9 labelled images; give all of AVA.txt"
    )


def test_counts_stand_beside_the_papers(root, means):
    write(root, means)
    shown = "\n".join(check(load_dataset("ava2", root)).lines())
    assert "51,100 (the second paper)" in shown


def test_released_labels(shared_data, tmp_path):
    """The published part file: its threshold and its tenths, against a plain count."""
    folder = shared_data / "labels" / "ava"
    table = np.loadtxt(folder / "AVA.test_part.txt", dtype=np.int64)
    means = table[:, 2:12] @ np.arange(1, 11) / table[:, 2:12].sum(1)
    (tmp_path / "AVA.txt").write_bytes((folder / "AVA.test_part.txt").read_bytes())
    first, second = (load_dataset(name, tmp_path) for name in ("ava1", "ava2"))
    assert first.notes[0] == f"{(means > 5).sum():,} images above 5, {(means <= 5).sum():,} not"
    assert len(second.means) == 2 * (len(means) // 10)
    lowest = np.sort(means)[: len(means) // 10]
    assert sorted(second.means.values())[: len(lowest)] == pytest.approx(lowest)
