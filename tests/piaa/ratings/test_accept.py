"""What Python users hand in: names as text and as paths, rows of any kind, and what is no table."""

from __future__ import annotations

from pathlib import Path, PureWindowsPath

import pandas as pd
import pytest

from generic.errors import RatingsError
from piaa.ratings.accept import as_pairs, as_ratings
from piaa.ratings.locate import locate_images

NAMES = ["a.jpg", "sub/b.jpg"]


def accepted(given: object) -> list[tuple[str, float]]:
    ratings = as_ratings(given, (1, 5), "me")
    return list(zip(ratings.images, ratings.scores.tolist(), strict=True))


@pytest.mark.parametrize(
    "given",
    [
        {Path("a.jpg"): 1, Path("sub/b.jpg"): 5},
        [(Path("a.jpg"), 1), (Path("sub/b.jpg"), 5)],
        ((Path(name), score) for name, score in zip(NAMES, (1, 5), strict=True)),
        pd.DataFrame({"image": [Path(name) for name in NAMES], "score": [1, 5]}),
    ],
)
def test_photos_are_named_by_paths(given):
    assert accepted(given) == [("a.jpg", 1.0), ("sub/b.jpg", 5.0)]


def test_a_path_of_windows_keeps_its_parts():
    assert accepted({PureWindowsPath("C:/photos/a.jpg"): 2}) == [("C:\\photos\\a.jpg", 2.0)]


def test_a_path_with_a_byte_that_is_no_letter_names_its_file(tmp_path):
    path = tmp_path / "Z\udcfcrich.jpg"
    path.write_bytes(b"")
    ((name, _),) = accepted({path: 3})
    assert locate_images([name], tmp_path) == ({name: path}, [])


@pytest.mark.parametrize("given", [[{"image": "a.jpg", "score": 1}], ["a1", "b2"], 5, [("a.jpg", 1, 2)]])
def test_rows_that_are_no_pairs_are_no_ratings(given):
    with pytest.raises(RatingsError) as caught:
        accepted(given)
    assert str(caught.value) == (
        f"ratings of type {type(given).__name__} are not understood; pass a file, a frame with columns image "
        "and score, a mapping image -> score, or pairs (image, score)"
    )


def test_pairs_are_any_rows_of_two_names():
    wanted = [("a.jpg", "b.jpg"), ("b.jpg", "c.jpg")]
    assert as_pairs(pair for pair in wanted) == wanted
    assert as_pairs([(Path(a), Path(b)) for a, b in wanted]) == wanted


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([], "there are 0 comparisons, but at least 1 is needed; compare some photos first"),
        (
            [("a.jpg", "b.jpg", "c.jpg")],
            "comparisons of type list are not understood; pass pairs (better, worse)",
        ),
        ("pairs.csv", "comparisons of type str are not understood; pass pairs (better, worse)"),
        (
            [("a.jpg", "b.jpg"), ("a.jpg", "")],
            "comparison 2: a photo's name is empty; fill in every field or delete the row",
        ),
    ],
)
def test_what_is_no_comparison(given, told):
    with pytest.raises(RatingsError) as caught:
        as_pairs(given)
    assert str(caught.value) == told
