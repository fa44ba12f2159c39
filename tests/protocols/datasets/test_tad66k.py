from __future__ import annotations

import pytest

from generic.errors import DatasetError, RatingsError
from protocols.datasets.load import load_dataset

SOURCE = "https://github.com/woshidandan/TANet-image-aesthetics-and-quality-assessment"
CURE = f"fetch the released file again from {SOURCE}, or correct these rows"


def message(root, error=DatasetError) -> str:
    with pytest.raises(error) as caught:
        load_dataset("tad66k", root)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("folder", ["", "labels", "labels/merge", "merge"])
def test_reads_both_lists_wherever_they_lie(official, root, folder):
    official.tad66k(root / folder)
    official.write_photos(root / "TAD66K", ["train0@N0.jpg"])
    data = load_dataset("tad66k", root)
    assert data.ratings is None
    assert data.lists == {
        "train": ("train0@N0.jpg", "train1@N0.jpg", "train2@N0.jpg"),
        "test": ("test0@N0.jpg", "test1@N0.jpg"),
    }
    assert data.means["train1@N0.jpg"] == 2.25
    assert len(data.means) == 5
    assert data.images == root / "TAD66K"
    assert data.notes == ()


def test_one_file_is_missing(official, root):
    official.tad66k(root)
    (root / "test.csv").unlink()
    assert message(root) == (
        f"{root} holds no test.csv or merge/test.csv, neither in it nor one folder deep; "
        f"put the file of tad66k there, it comes from {SOURCE}"
    )


def test_two_folders_hold_the_file(official, root):
    official.tad66k(root / "b")
    official.tad66k(root / "a")
    assert message(root) == (
        f"{root} holds train.csv 2 times: a/train.csv, b/train.csv; pass the folder of the one that is meant"
    )


def test_bad_rows(official, root):
    official.tad66k(root)
    path = official.write(root / "train.csv", "image,score\na.jpg,11\nb.jpg,3\nb.jpg,4\nc.jpg\n")
    assert message(root, RatingsError) == (
        f"{path}: 3 of 4 rows are bad: line 2, score '11' is outside the scale 1..10; "
        "line 4, image 'b.jpg' was already rated by user 'the crowd' on line 3; "
        f"line 5, 'c.jpg' has 1 field instead of 2. To do: {CURE}"
    )


def test_wrong_header(official, root):
    official.tad66k(root)
    path = official.write(root / "train.csv", "image\tMOS\na.jpg\t3\n")
    assert message(root, RatingsError) == (
        f"{path} has no score column; its columns are 'image', 'MOS'; "
        "name the score column one of score, rating, aestheticScore, stars"
    )


def test_empty_file_and_byte_order_mark(official, root):
    official.tad66k(root)
    path = official.write(root / "test.csv", "")
    assert message(root, RatingsError) == (
        f"{path} is empty, expected ratings; give it the columns user, image, score"
    )
    official.write(path, "image;score\nx.jpg;3\n", encoding="utf-8-sig")
    assert load_dataset("tad66k", root).lists["test"] == ("x.jpg",)
