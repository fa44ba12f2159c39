"""Which column is which: headers of programs and people, and what piaa wrote itself."""

from __future__ import annotations

import pytest

from generic.errors import RatingsError
from piaa.ratings.columns import Columns, find_columns

PREDICTED = ("image", "score", "low", "high", "generic", "predicted_by")


def find(*names):
    return find_columns(names, source="r.csv", user="ana")


def refusal(*names):
    with pytest.raises(RatingsError) as caught:
        find(*names)
    return str(caught.value)


@pytest.mark.parametrize(
    "names",
    [
        ("SourceFile", "Rating"),
        ("File Name", "Rating"),
        ("file_name", "stars"),
        ("FILE-NAME", "Stars"),
        ("System:FileName", "XMP-xmp:Rating"),
        ("photo", "my rating"),
        ("photo", "Star Rating"),
        ("File Path", "Rating"),
        ("user_id", "image name", "aesthetic score"),
    ],
)
def test_headers_of_programs(names):
    whose = len(names) - 2
    assert find(*names) == Columns(user=0 if whose else None, image=whose, score=whose + 1)


def test_the_whole_path_of_exiftool_before_the_name_alone():
    assert find("SourceFile", "FileName", "Rating") == Columns(user=None, image=0, score=2)
    assert refusal("FileName", "photo", "Rating") == (
        "r.csv: the columns 'FileName' and 'photo' both mean the image; rename or delete one of them"
    )


@pytest.mark.parametrize(
    ("names", "ours"),
    [
        (PREDICTED, "columns 'low', 'high', 'generic', 'predicted_by' say"),
        (("image", "score", "low", "high", "generic"), "columns 'low', 'high', 'generic' say"),
        (("image", "score", "Low", "HIGH"), "columns 'Low', 'HIGH' say"),
        (("image", "score", "generic"), "column 'generic' says"),
        (("image", "score", "predicted_by"), "column 'predicted_by' says"),
        # The predictions under another name are still predictions.
        (("image", "rating", "low", "high"), "columns 'low', 'high' say"),
    ],
)
def test_predictions_are_no_ratings(names, ours):
    assert refusal(*names) == (
        f"r.csv holds scores that piaa predicted, as its {ours}; nothing of a person is learned "
        "from these: add a column 'rating' with what she says herself, or pass the table that she filled in"
    )


@pytest.mark.parametrize("own", ["rating", "Stars", "my score"])
def test_her_own_column_beside_predictions(own):
    assert find(*PREDICTED, own) == Columns(
        user=None,
        image=0,
        score=6,
        notes=(f"r.csv: learned from its column {own!r}; its 'score' is what piaa predicted",),
    )


def test_two_columns_of_her_own():
    assert refusal(*PREDICTED, "rating", "stars") == (
        "r.csv: the columns 'rating' and 'stars' both mean the score; rename or delete one of them"
    )
    assert refusal(*PREDICTED, "score").startswith("r.csv holds scores that piaa predicted, ")
