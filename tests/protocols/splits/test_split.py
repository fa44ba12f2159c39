from __future__ import annotations

import dataclasses
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generic.errors import DatasetError, OutputError, SplitLeak
from piaa.ratings.scale import Scale
from piaa.ratings.table import Ratings
from protocols.datasets.dataset import Dataset, mean_scores
from protocols.splits.split import Split, read_split, write_split

SCALE = Scale(1, 5)
SPLIT = Split(
    dataset="table",
    rule="By hand.",
    train_users=("zoë", "bo"),
    test_users=("ana",),
    train_images=("b.jpg", "a.jpg", "a.jpg"),
    test_images=("c d.jpg",),
)
ROWS = [
    *(("ana", "c d.jpg", 5), ("ana", "a.jpg", 1)),
    *(("bo", "a.jpg", 4), ("bo", "b.jpg", 2), ("bo", "c d.jpg", 3), ("zoë", "a.jpg", 5)),
]
RATINGS = Ratings.from_rows(ROWS, scale=SCALE)

names = st.lists(st.text(min_size=1, max_size=6), max_size=5, unique=True)


def dataset(ratings=RATINGS, **changes):
    parts = {
        "name": "table",
        "scale": SCALE,
        "ratings": ratings,
        "means": mean_scores(ratings) if ratings else {},
        "counts": {},
        "images": None,
        "lists": {},
        "test_users": (),
        "notes": (),
    }
    return Dataset(**{**parts, **changes})


def message(error, call, *args, **options):
    with pytest.raises(error) as caught:
        call(*args, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def split_of(**changes):
    empty = {"train_users": (), "test_users": (), "train_images": (), "test_images": ()}
    return Split(dataset="d", rule="r", **{**empty, **changes})


def test_names_are_sorted_and_single_whatever_their_order():
    assert SPLIT.train_users == ("bo", "zoë")
    assert SPLIT.train_images == ("a.jpg", "b.jpg")
    assert SPLIT.counts == {"train_users": 2, "test_users": 1, "train_images": 2, "test_images": 1}
    again = dataclasses.replace(SPLIT, train_users=("bo", "zoë", "bo"), train_images=("a.jpg", "b.jpg"))
    assert (again, again.hash) == (SPLIT, SPLIT.hash)


def test_a_user_on_both_sides_is_a_leak():
    assert message(SplitLeak, split_of, train_users=("ana", "bo"), test_users=("cy", "ana")) == (
        "split of 'd': 1 of 2 test users are training users too, such as 'ana'; keep each on one side"
    )


def test_images_on_both_sides_are_counted_and_three_are_named():
    images = tuple(f"{letter}\n.jpg" for letter in "edcba")
    assert message(SplitLeak, split_of, train_images=(*images, "x"), test_images=(*images, "y")) == (
        "split of 'd': 5 of 6 test images are training images too, "
        r"such as 'a\n.jpg', 'b\n.jpg', 'c\n.jpg'; keep each on one side"
    )


def test_training_on_a_test_image_is_a_leak():
    SPLIT.check_training(users=("bo", "a stranger"), images=("a.jpg", "of another dataset.jpg"))
    assert message(SplitLeak, SPLIT.check_training, images=["a.jpg", "c d.jpg", "c d.jpg"]) == (
        "split of 'table': 1 of 2 images used in training is a test image, such as 'c d.jpg'; "
        "train without them"
    )
    assert message(SplitLeak, SPLIT.check_training, users=iter(["ana", "bo"])) == (
        "split of 'table': 1 of 2 users used in training is a test user, such as 'ana'; train without them"
    )


def test_a_personal_test_stays_on_the_test_side():
    SPLIT.check_test(SPLIT.test_ratings(RATINGS))
    assert message(SplitLeak, SPLIT.check_test, RATINGS.for_user("ana")) == (
        "split of 'table': 1 image of a personal test is no test image, such as 'a.jpg'; "
        "test on test_ratings alone"
    )
    assert message(SplitLeak, SPLIT.check_test, RATINGS.take([4])) == (
        "split of 'table': 1 user of a personal test is no test user, such as 'bo'; "
        "test on test_ratings alone"
    )


def test_each_side_sees_its_own_ratings_only():
    training, test = SPLIT.training_ratings(RATINGS), SPLIT.test_ratings(RATINGS)
    assert list(zip(training.users, training.images, strict=True)) == [
        ("bo", "a.jpg"),
        ("bo", "b.jpg"),
        ("zoë", "a.jpg"),
    ]
    assert list(zip(test.users, test.images, strict=True)) == [("ana", "c d.jpg")]


def test_training_means_hold_nothing_of_a_test_user():
    # ana's 1 for a.jpg is part of its mean 10/3; without her bo's 4 and zoë's 5 make 4.5.
    data = dataset(means={"a.jpg": 10 / 3, "b.jpg": 2.25, "c d.jpg": 4.0})
    assert SPLIT.training_means(data) == {"a.jpg": 4.5, "b.jpg": 2.25}
    assert SPLIT.training_means(dataset(None, means={"b.jpg": 2.0, "c d.jpg": 1.0})) == {"b.jpg": 2.0}
    only_ana = dataclasses.replace(SPLIT, train_users=())
    assert only_ana.training_means(data) == {"b.jpg": 2.25}


def test_a_split_of_other_data_is_refused():
    SPLIT.check(dataset())
    assert message(DatasetError, SPLIT.check, dataset(name="aadb")) == (
        "the split is of dataset 'table', but the data are 'aadb'; name the split of these data"
    )
    stranger = dataclasses.replace(SPLIT, test_users=("ana", "kim"))
    assert message(DatasetError, stranger.check, dataset()) == (
        "dataset 'table' has no label of 1 of 4 users of the split, such as 'kim'; "
        "check the spelling or the version of the labels"
    )
    lost = dataclasses.replace(SPLIT, test_images=("n1", "n2", "n3", "n4"))
    assert message(DatasetError, lost.check, dataset()) == (
        "dataset 'table' has no label of 4 of 6 images of the split, such as 'n1', 'n2', 'n3'; "
        "check the spelling or the version of the labels"
    )
    lost.check(dataset(lists={"test": ("n1", "n2", "n3", "n4")}))


def test_a_file_is_read_back_to_the_letter(tmp_path):
    path = tmp_path / "a split.json"
    write_split(path, SPLIT)
    again = read_split(path)
    assert (again, again.hash) == (SPLIT, SPLIT.hash)
    content = json.loads(path.read_text())
    assert content["counts"] == SPLIT.counts
    assert content["sha256"] == SPLIT.hash
    assert [path.name for path in tmp_path.iterdir()] == ["a split.json"]


@given(names, names, st.text(max_size=9))
def test_any_names_survive_the_file(tmp_path_factory, users, images, rule):
    half, third = len(users) // 2, len(images) // 3
    split = Split(
        dataset="any",
        rule=rule,
        train_users=tuple(users[:half]),
        test_users=tuple(users[half:]),
        train_images=tuple(images[:third]),
        test_images=tuple(images[third:]),
    )
    path = tmp_path_factory.mktemp("split") / "s.json"
    write_split(path, split)
    assert read_split(path) == split


def test_the_hash_is_the_one_that_was_written_first():
    """Frozen: results name it, so another way of computing it would orphan them."""
    text = (
        '{"counts":{"test_images":1,"test_users":1,"train_images":1,"train_users":0},"dataset":"d",'
        '"format":"piaa-split","format_version":1,"rule":"r","test_images":["b"],"test_users":["u"],'
        '"train_images":["\\u00e4"],"train_users":[]}'
    )
    split = split_of(train_images=("ä",), test_images=("b",), test_users=("u",))
    assert split.hash == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    "changes",
    [
        {"dataset": "aadb"},
        {"rule": "Otherwise."},
        {"train_users": ("bo",)},
        {"test_users": ("bob",)},
        {"train_images": ("a.jpg",)},
        {"test_images": ("c.jpg",)},
    ],
)
def test_whatever_differs_changes_the_hash(changes):
    smaller = dataclasses.replace(SPLIT, train_users=("zoë",))
    assert dataclasses.replace(smaller, **changes).hash != smaller.hash


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"ana"', '"bob"'),
        ('"By hand."', '"By luck."'),
        ('"test_users": 1', '"test_users": 2'),
        ('"a.jpg",\n  ', ""),
    ],
)
def test_a_changed_file_is_refused(tmp_path, old, new):
    path = tmp_path / "s.json"
    write_split(path, SPLIT)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    assert message(DatasetError, read_split, path) == (
        f"cannot use the split {str(path)!r}: its content does not fit its hash; "
        "it was damaged or edited, make the split again"
    )


def rehashed(**changes):
    """The file's text after a person changed it and computed its hash anew."""
    content = {**SPLIT._content(), **changes}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return json.dumps({**content, "sha256": hashlib.sha256(text.encode()).hexdigest()})


@pytest.mark.parametrize(
    "changes",
    [
        {"train_users": ["zoë", "bo"]},
        {"train_users": None},
        {"train_users": [["bo"], "zoë"]},
        {"counts": {}},
        {"extra": 1},
        {"rule": {"a": float("nan")}},
        {"rule": 7},
        {"train_users": [1, 2]},
    ],
)
def test_a_file_hashed_anew_must_still_be_a_split(tmp_path, changes):
    path = tmp_path / "s.json"
    path.write_text(rehashed(**changes))
    assert message(DatasetError, read_split, path) == (
        f"cannot use the split {str(path)!r}: it lacks a part of a split or holds a value that cannot be; "
        "make the split again"
    )


def test_a_leak_in_a_file_is_a_leak(tmp_path):
    path = tmp_path / "s.json"
    path.write_text(rehashed(test_users=["bo"]))
    assert message(SplitLeak, read_split, path) == (
        "split of 'table': 1 of 1 test users are training users too, such as 'bo'; keep each on one side"
    )


@pytest.mark.parametrize("content", [b"", b"worker,image\n", b"[1]", b"{}", b"\xff\xfe", b"[" * 100_000])
def test_another_file_is_no_split(tmp_path, content):
    path = tmp_path / "s.json"
    path.write_bytes(content)
    assert message(DatasetError, read_split, path) == (
        f"cannot use the split {str(path)!r}: it is not a file that piaa data split wrote; "
        "name such a file, or make the split again"
    )


def test_a_file_of_the_future_or_none_is_refused(tmp_path):
    path = tmp_path / "s.json"
    assert message(DatasetError, read_split, path) == (
        f"cannot use the split {str(path)!r}: it cannot be read: No such file or directory; "
        "name a file that piaa data split wrote"
    )
    path.write_text(rehashed(format_version=2))
    assert message(DatasetError, read_split, path) == (
        f"cannot use the split {str(path)!r}: it has format version 2, but this piaa knows version 1; "
        "upgrade piaa: pip install --upgrade piaa"
    )


def test_a_split_that_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "s.json").mkdir()
    with pytest.raises(OutputError):
        write_split(tmp_path / "s.json", SPLIT)
    assert [path.name for path in tmp_path.iterdir()] == ["s.json"]
