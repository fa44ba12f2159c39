"""Folders with histograms of ratings, or with single ratings in the form of the second paper's GBR data."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generic.errors import DatasetError, RatingsError
from piaa.ratings.scale import Scale
from protocols.datasets.load import load_dataset
from protocols.datasets.shares import shares_of_images
from protocols.splits.rules import make_split

CURE = "write how many raters gave each score: whole numbers of at least 0, and one row an image"
COLUMNS = "name one column image and one for each whole score without gaps, such as image,1,2,3,4,5"


def message(root, error=DatasetError, **options) -> str:
    with pytest.raises(error) as caught:
        load_dataset("histograms", root, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def many(n: int, header="image,1,2,3") -> str:
    return "\n".join([header, *(f"p{i:03d}.jpg,{i},5,6" for i in range(n))]) + "\n"


def test_histograms_with_their_means_and_shares(official, root):
    official.write(root / "histograms.csv", "n, 3,image, 1, 2\n12,6,a b.jpg,0,6\n10,0,b.jpg,10,0\n")
    official.write_photos(root / "images", ["a b.jpg"])
    data = load_dataset("histograms", root)
    assert (str(data.scale), data.ratings, data.images) == ("1..3", None, root / "images")
    assert data.counts == {"a b.jpg": (0, 6, 6), "b.jpg": (10, 0, 0)}
    assert data.means == {"a b.jpg": 2.5, "b.jpg": 1.0}


def test_eighty_ten_ten_by_the_hash_of_names_and_no_row_moves_it(official, root):
    official.write(root / "histograms.csv", many(50))
    data = load_dataset("histograms", root)
    assert {part: len(names) for part, names in data.lists.items()} == {
        **{"train": 40, "validation": 5, "test": 5}
    }
    header, *rows = many(50).splitlines()
    official.write(root / "histograms.csv", "\n".join([header, *reversed(rows)]))
    assert load_dataset("histograms", root).lists == data.lists
    split = make_split(data)
    assert set(split.test_images) == set(data.lists["test"])
    assert len(split.train_images) == 45  # validation serves training


def test_lists_of_the_persons_own(official, root):
    official.write(root / "histograms.csv", many(6))
    train = official.write(root / "a.txt", "p001.jpg\np002.jpg\n")
    test = official.write(root / "b.txt", "p003.jpg\n")
    data = load_dataset("histograms", root, train=train, test=test)
    assert data.lists == {"train": ("p001.jpg", "p002.jpg"), "test": ("p003.jpg",)}
    assert data.notes[0] == "lists: a.txt, b.txt"
    assert message(root, train=train) == (
        "one of two lists is missing; give both --train and --test, or neither"
    )


def single_ratings(n_raters) -> str:
    rows = [
        f"u{user},p{photo}.jpg,{1 + (user + photo) % 4}"
        for photo, n in enumerate(n_raters)
        for user in range(n)
    ]
    return "\n".join(("user,image,score", *rows)) + "\n"


def test_single_ratings_become_histograms_of_images_with_ten_raters(official, root):
    official.write(root / "ratings.csv", single_ratings((10, 9, 12)))
    data = load_dataset("histograms", root, scale=Scale(1, 4))
    assert data.counts == {"p0.jpg": (3, 3, 2, 2), "p2.jpg": (3, 3, 3, 3)}
    assert data.notes[0] == "1 of 3 images has fewer than 10 raters and was left out"
    assert set(load_dataset("histograms", root, scale=Scale(1, 4), min_raters=9).counts) == {
        *("p0.jpg", "p1.jpg", "p2.jpg")
    }


def test_photos_without_a_rating_are_counted(official, root):
    path = official.write(root / "ratings.csv", single_ratings((10,)) + "x,p0.jpg,0\nx,p1.jpg,\n")
    data = load_dataset("histograms", root, scale=Scale(1, 4))
    assert data.notes[0] == f"{path}: left out 2 of 12 rows: 2 unrated (blank or 0)"
    assert data.counts == {"p0.jpg": (3, 3, 2, 2)}


def test_no_image_has_enough_raters(official, root):
    path = official.write(root / "ratings.csv", single_ratings((3, 4)))
    assert message(root) == (
        f"{path}: none of the 2 images has 10 raters, the most has 4; add ratings, or lower --min-raters"
    )


def test_histograms_go_before_single_ratings_unless_these_are_named(official, root):
    official.write(root / "histograms.csv", many(3))
    ratings = official.write(root / "ratings.csv", single_ratings((10, 10)))
    assert len(load_dataset("histograms", root).means) == 3
    assert len(load_dataset("histograms", root, ratings=ratings).means) == 2


def test_ratings_between_whole_scores_have_no_histogram(official, root):
    path = official.write(root / "ratings.csv", "user,image,score\nana,a.jpg,2.5\n")
    assert message(root) == (
        f"histograms need whole scores, but {path} has the score 2.5; round them, or train on means with "
        "--dataset table"
    )


def test_a_score_outside_of_the_scale(official, root):
    official.write(root / "ratings.csv", "user,image,score\nana,a.jpg,12\n")
    assert "score '12' is outside the scale 1..10" in message(root, RatingsError)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("b.jpg,0,0,0,0", "image 'b.jpg' has an empty histogram"),
        ("b.jpg,4,-1,9,12", "image 'b.jpg' has a negative count -1 of score 2"),
        ("b.jpg,4,0.25,9,13", "image 'b.jpg' has '0.25' raters of score 2"),
        ("b.jpg,4,,9,13", "image 'b.jpg' has '' raters of score 2"),
        ("b.jpg,4,5,6,14", "image 'b.jpg' has counts that sum to 15, but n is '14'"),
        ("a.jpg,4,5,6,15", "image 'a.jpg' stands twice"),
        (",4,5,6,15", "the image is empty"),
    ],
)
def test_a_bad_row_is_named_with_its_line(official, root, row, problem):
    path = official.write(root / "histograms.csv", f"image,1,2,3,n\na.jpg,4,4,4,12\n{row}\n")
    assert message(root) == f"{path}: 1 of 2 rows is bad: line 3, {problem}. To do: {CURE}"


@pytest.mark.parametrize(
    ("header", "shown"),
    [
        ("photo,1,2,3", "'photo', '1', '2', '3'"),
        ("image,1,2,4", "'image', '1', '2', '4'"),
        ("image,1,2,2,3", "'image', '1', '2', '2', '3'"),
        ("image,mean", "'image', 'mean'"),
    ],
)
def test_wrong_columns(official, root, header, shown):
    path = official.write(root / "histograms.csv", header + "\na.jpg,1,2,3\n")
    assert message(root) == f"{path} is no table of histograms; its columns are {shown}; {COLUMNS}"


def test_nothing_in_the_folder(root):
    assert message(root) == (
        f"{root} holds no histograms.csv or ratings.csv, neither in it nor one folder deep; put the file of "
        "histograms there, it comes from you"
    )


@settings(max_examples=30)
@given(
    names=st.sets(st.text(min_size=1, max_size=6), min_size=1, max_size=60),
    share=st.floats(0.05, 0.9),
)
def test_shares_are_disjoint_and_complete_and_do_not_depend_on_order(names, share):
    shares = {"train": 1 - share, "test": share}
    found = shares_of_images("ava1", names, shares)
    assert sorted(name for part in found.values() for name in part) == sorted(names)
    assert len(found["train"]) == round((1 - share) * len(names))
    assert shares_of_images("ava1", sorted(names, reverse=True), shares) == found
