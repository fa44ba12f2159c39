from __future__ import annotations

import hashlib
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generic.errors import DatasetError
from piaa.ratings.scale import Scale
from piaa.ratings.table import Ratings
from protocols.datasets.dataset import Dataset, mean_scores
from protocols.datasets.load import load_dataset
from protocols.splits.rules import MIN_RATINGS, hash_order, make_split, share_of_users

SCALE = Scale(1, 5)
USERS = [f"W{number}" for number in range(30)]
IMAGES = [f"i{number:02d}.jpg" for number in range(25)]

pairs = st.lists(
    st.tuples(st.sampled_from(USERS), st.sampled_from(IMAGES)), min_size=1, max_size=120, unique=True
)


def table(rows, *, name="table", **changes):
    ratings = None if rows is None else Ratings.from_rows([(u, i, 3) for u, i in rows], scale=SCALE)
    parts = {
        "means": {} if ratings is None else mean_scores(ratings),
        "counts": {},
        "images": None,
        "lists": {},
        "test_users": (),
        "notes": (),
    }
    return Dataset(name=name, scale=SCALE, ratings=ratings, **{**parts, **changes})


def refusal(data, **options):
    with pytest.raises(DatasetError) as caught:
        make_split(data, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def busy(users, n=MIN_RATINGS):
    """Users with n ratings each, of images of their own."""
    return [(user, f"{user}-{number}") for user in users for number in range(n)]


def options_for(rows, kind):
    """Options of a split of each kind that the rows allow."""
    users, images = sorted({u for u, _ in rows}), sorted({i for _, i in rows})
    return {
        "users": {"test_users": users[::2]},
        "images": {"test_images": images[::2]},
        "both": {"test_users": users[::2], "test_images": images[::2]},
        "share": {"test_share": 0.999},
    }[kind]


KINDS = ("users", "images", "both", "share")


@pytest.mark.parametrize("kind", KINDS)
@given(rows=pairs, seed=st.integers(0, 99))
def test_sides_are_disjoint_and_complete_and_ignore_the_order_of_rows(kind, rows, seed):
    options = options_for(rows, kind)
    split = make_split(table(rows), **options)
    assert not set(split.train_users) & set(split.test_users)
    assert not set(split.train_images) & set(split.test_images)
    assert {*split.train_users, *split.test_users} == {u for u, _ in rows}
    assert {*split.train_images, *split.test_images} == {i for _, i in rows}
    # No rating is on both sides, and a test user's images are never trained on.
    data = table(rows)
    training, test = split.training_ratings(data.ratings), split.test_ratings(data.ratings)
    assert not set(training.images) & set(test.images)
    assert not set(training.users) & set(test.users)
    shuffled = [rows[place] for place in np.random.default_rng(seed).permutation(len(rows))]
    again = make_split(table(shuffled), **options)
    assert (again, again.hash) == (split, split.hash)


@given(rows=pairs)
def test_by_user_no_test_user_rated_a_training_image(rows):
    split = make_split(table(rows), test_users=[rows[0][0]])
    tested = set(split.test_users)
    assert set(split.test_images) == {i for u, i in rows if u in tested}
    assert len(split.test_ratings(table(rows).ratings)) == sum(u in tested for u, _ in rows)


@given(rows=pairs, more=pairs)
def test_a_share_moves_nobody_when_users_are_added(rows, more):
    users = {u for u, _ in rows}
    more = [(u, i) for u, i in more if u not in users]
    tested = share_of_users("table", users, 0.4)
    assert set(share_of_users("table", users | {u for u, _ in more}, 0.4)) & users == set(tested)
    if not tested:
        return
    old = make_split(table(rows), test_share=0.4)
    new = make_split(table(rows + more), test_share=0.4)
    assert set(old.test_users) == set(new.test_users) & users
    assert set(old.train_users) == set(new.train_users) & users
    # A new test user may take an image out of training, but none comes back from the test.
    assert set(old.test_images) <= set(new.test_images)


@given(st.sets(st.sampled_from(USERS), min_size=5), st.sets(st.sampled_from(USERS)), st.randoms())
def test_the_first_n_lose_at_most_one_user_for_each_user_added(users, more, random):
    old = hash_order("aadb", users)[:5]
    mixed = list(users | more)
    random.shuffle(mixed)
    new = hash_order("aadb", mixed)[:5]
    # Nobody who was a training user becomes a test user.
    assert set(new) & users <= set(old)
    assert len(set(old) - set(new)) <= len(more - users)


def test_the_order_is_that_of_the_hash_by_its_formula():
    digests = {user: hashlib.sha256(f"piaa/para/{user}".encode()).hexdigest() for user in USERS}
    assert hash_order("para", USERS) == sorted(USERS, key=digests.__getitem__)
    below = sorted(user for user in USERS if int(digests[user], 16) < 0.3 * 2**256)
    assert share_of_users("para", USERS, 0.3) == below
    assert 3 < len(below) < 16


@pytest.mark.parametrize(("name", "n"), [("aadb", 22), ("para", 40)])
def test_hashed_test_users_are_exactly_as_many_as_in_the_literature(name, n):
    users = [f"A{number}" for number in range(60)]
    idle = [f"Z{number}" for number in range(200)]
    rows = [*busy(users), *busy(idle, MIN_RATINGS - 1)]
    lists = {"train": ("A0-0",), "test": ("A0-1",)} if name == "aadb" else {}
    split = make_split(table(rows, name=name, lists=lists))
    assert len(split.test_users) == n
    assert split.test_users == tuple(sorted(hash_order(name, users)[:n]))
    assert len(split.train_users) == 260 - n
    assert split.counts["test_images"] == n * MIN_RATINGS
    assert split.rule == (
        f"Test users: the first {n} by SHA-256 of 'piaa/{name}/' + name among those with at least "
        "110 ratings, not comparable worker for worker with the papers; test images: all that they rated; "
        "training images: all that they did not."
    )


def test_the_hashed_users_are_frozen():
    """Results quote this rule, so a change of it would silently be another experiment."""
    assert hash_order("aadb", USERS)[:4] == ["W22", "W21", "W17", "W8"]  # sha256sum
    assert hash_order("para", USERS)[:4] != hash_order("aadb", USERS)[:4]


def test_too_few_busy_users_are_no_aadb():
    assert refusal(table(busy(USERS[:21]), name="aadb")) == (
        "dataset 'aadb' has 21 users with at least 110 ratings, but its split tests 22; "
        "give the whole per-user label file, or make a split with `piaa data split` and "
        "test users (--test-users FILE)"
    )


def test_para_is_tested_on_its_official_test_images():
    users = [f"A{number}" for number in range(50)]
    shared, other = [f"t{number}" for number in range(MIN_RATINGS)], [f"g{number}" for number in range(5)]
    rows = [(user, image) for user in users for image in (*shared, *other)]
    # Busy, but on training images.
    rows += busy(["Z1", "Z2"], 200)
    data = table(rows, name="para", lists={"train": tuple(other), "test": tuple(shared)})
    split = make_split(data)
    assert split.test_users == tuple(sorted(hash_order("para", users)[:40]))
    assert split.counts == {
        "train_users": 12,
        "test_users": 40,
        "train_images": 405,
        "test_images": MIN_RATINGS,
    }
    assert split.rule == (
        "Test users: the first 40 by SHA-256 of 'piaa/para/' + name among those with at least 110 ratings of "
        "official test images, not comparable worker for worker with the papers; test images: a list; "
        "other users on test images and test users on other images are left out."
    )
    assert refusal(table(rows, name="para", lists={"test": tuple(shared[1:])})) == (
        "dataset 'para' has 0 users with at least 110 ratings of official test images, but its split tests "
        "40; give the whole per-user label file, or make a split with `piaa data split` and "
        "test users (--test-users FILE)"
    )


def test_official_users_split_the_dataset_by_user():
    rows = [("T1", "a"), ("T1", "b"), ("T2", "c"), ("W", "a"), ("W", "d")]
    split = make_split(table(rows, name="flickr-aes", test_users=("T2", "T1"), means={"e": 2.0, "a": 3.0}))
    assert (split.train_users, split.test_users) == (("W",), ("T1", "T2"))
    assert (split.train_images, split.test_images) == (("d", "e"), ("a", "b", "c"))


def test_real_cur_has_nothing_to_train_on():
    split = make_split(table([("a", "x"), ("b", "y")], name="real-cur"))
    assert (split.train_users, split.train_images) == ((), ())
    assert (split.test_users, split.test_images) == (("a", "b"), ("x", "y"))


def test_official_lists_split_images_and_no_users():
    lists = {"train": ("a", "b"), "validation": ("c",), "test": ("e", "d")}
    split = make_split(table(None, name="ava", lists=lists, means={"a": 1.0}))
    assert (split.train_users, split.test_users) == ((), ())
    assert (split.train_images, split.test_images) == (("a", "b", "c"), ("d", "e"))
    assert split.rule == (
        "Images only, by the official lists; validation images, if any, count as training images; no users."
    )


def test_by_image_keeps_those_who_rated_a_test_image_out_of_training():
    rows = [("ana", "a"), ("ana", "b"), ("bo", "b"), ("cy", "c")]
    split = make_split(table(rows), test_images=["a"])
    assert (split.train_users, split.test_users) == (("bo", "cy"), ("ana",))
    assert (split.train_images, split.test_images) == (("b", "c"), ("a",))
    # ana's rating of b is used nowhere.
    assert split.training_means(table(rows)) == {"b": 3.0, "c": 3.0}
    assert split.rule == (
        "Test images: a given list; test users: all who rated one of them, left out of training altogether."
    )


def test_by_both_uses_two_of_the_four_quarters():
    rows = [(user, image) for user in "abcd" for image in ("w", "x", "y", "z")]
    data = table(rows)
    split = make_split(data, test_users=["a"], test_images=["w", "x"])
    assert len(split.training_ratings(data.ratings)) == 3 * 2
    assert len(split.test_ratings(data.ratings)) == 2
    assert split.rule == (
        "Test users: a given list; test images: a list; "
        "other users on test images and test users on other images are left out."
    )
    own = make_split(table(rows, test_users=("a",)), test_images=["w", "x"])
    assert (own.test_users, own.test_images) == (split.test_users, split.test_images)
    assert own.rule.startswith("Test users: the list that comes with the dataset; test images: a list;")


def test_what_cannot_be_split_says_what_to_give():
    assert refusal(table([("ana", "a")])) == (
        "dataset 'table' has no split of its own; make one with `piaa data split` and test images "
        "(--test-images FILE), test users (--test-users FILE) or a share (--test-share 0.2)"
    )
    assert refusal(table(None, name="ava", lists={"train": ("a",)})) == (
        "dataset 'ava' has no split of its own; name two lists, --train FILE and --test FILE, or make one "
        "with `piaa data split` and test images (--test-images FILE)"
    )
    assert refusal(table(None, name="ava"), test_users=["ana"]) == (
        "dataset 'ava' has no ratings by single users here, so it cannot be split by user; "
        "add its per-user label file, or give test images"
    )
    assert refusal(table([("ana", "a")]), test_share=1.0) == (
        "test_share=1.0 is outside of (0, 1); give one of the two, a share such as 0.2"
    )
    assert refusal(table([("ana", "a")]), test_share=0.5, test_users=["ana"]) == (
        "test_share=0.5 is given beside test users; give one of the two, a share such as 0.2"
    )


def test_a_list_is_checked_against_the_labels():
    data = table([("ana", "a"), ("bo", "b")])
    assert refusal(data, test_users=["ana", "Bo"]) == (
        "dataset 'table' has no label of 1 of 2 users of the split, such as 'Bo'; "
        "check the spelling or the version of the labels"
    )
    assert refusal(data, test_images=["c", "d"]) == (
        "dataset 'table' has no label of 2 of 2 images of the split, such as 'c', 'd'; "
        "check the spelling or the version of the labels"
    )
    assert refusal(data, test_users=[]) == (
        "the list of test users of dataset 'table' is empty; name at least one"
    )
    assert refusal(data, test_images=[]) == (
        "the list of test images of dataset 'table' is empty; name at least one"
    )


def test_the_real_flickr_aes_labels_split_as_released(shared_data):
    data = load_dataset("flickr-aes", shared_data / "labels" / "flickr_aes")
    split = make_split(data)
    assert split.counts == {"train_users": 0, "test_users": 37, "train_images": 36564, "test_images": 4977}
    split.check(data)
    per_user = sorted(Counter(split.test_ratings(data.ratings).users).values())
    assert (per_user[0], per_user[18], per_user[-1], sum(per_user)) == (112, 120, 180, 5138)


@pytest.mark.parametrize(
    ("name", "folder", "n_train", "n_test"),
    [("aadb", "aadb", 8458, 1000), ("tad66k", "tad66k", 52248, 14079)],
)
def test_the_real_lists_split_as_published(shared_data, name, folder, n_train, n_test):
    data = load_dataset(name, shared_data / "labels" / folder)
    split = make_split(data)
    assert split.counts == {"train_users": 0, "test_users": 0, "train_images": n_train, "test_images": n_test}
    assert len(split.training_means(data)) == n_train


def test_the_real_ava_splits_by_the_lists_named(shared_data):
    folder = shared_data / "labels" / "ava"
    data = load_dataset(
        "ava", folder, train=folder / "MPADA_AVA_train.lst", test=folder / "MPADA_AVA_test.lst"
    )
    split = make_split(data)
    assert (split.counts["train_images"], split.counts["test_images"]) == (229_971, 25_551)
    # Labels of a part of the images are there, none of it for training but by the list.
    assert set(split.training_means(data)) == set(data.means) & set(split.train_images)
