from __future__ import annotations

import pytest

from generic.errors import DatasetError, RatingsError
from piaa.ratings.scale import Scale
from protocols.datasets.load import DATASETS, load_dataset

ROWS = "user,image,score\nana,a 1.jpg,7\nana,b.jpg,1\nbén,b.jpg,4\n"


def message(name, root, *, error=DatasetError, **options) -> str:
    with pytest.raises(error) as caught:
        load_dataset(name, root, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_root_alone(official, root):
    official.write(root / "ratings.csv", ROWS, encoding="utf-8-sig")
    official.write_photos(root / "images", ["a 1.jpg"])
    data = load_dataset("table", root, scale=Scale(1, 7))
    assert (data.name, str(data.scale), data.images) == ("table", "1..7", root / "images")
    assert data.means == {"a 1.jpg": 7, "b.jpg": 2.5}
    assert data.labelled() == ("a 1.jpg", "b.jpg")
    assert (data.test_users, data.notes) == ((), ())


def test_every_part_named(official, root):
    ratings = official.write(root / "r.tsv", ROWS.replace(",", "\t"))
    users = official.write(root / "u.txt", "user\nbén\n\n")
    photos = official.write_photos(root / "my photos", ["a 1.jpg"])
    data = load_dataset("table", root, ratings=ratings, images=photos, users=users, scale=Scale(1, 7))
    assert (data.test_users, data.images) == (("bén",), photos)


def test_photos_may_lie_in_root_itself(official, root):
    official.write(root / "ratings.csv", ROWS)
    official.write_photos(root, ["a 1.JPG"])
    assert load_dataset("table", root, scale=Scale(1, 7)).images == root


def test_duplicates_are_the_persons_choice(official, root):
    path = official.write(root / "ratings.csv", ROWS + "ana,b.jpg,5\n")
    assert message("table", root, error=RatingsError, scale=Scale(1, 7)) == (
        f"{path}: 1 of 4 rows is bad: line 5, image 'b.jpg' was already rated by user 'ana' on line 3. "
        "To do: delete one of the two rows, or pass --duplicates last or --duplicates mean"
    )
    data = load_dataset("table", root, scale=Scale(1, 7), duplicates="last")
    assert data.ratings.scores.tolist() == [7, 5, 4]


def test_one_photo_under_several_spellings_is_one(official, root):
    rows = "user,image,score\nana,A 1.JPG,7\nana,b.jpg,0\nben,./a 1.jpg,3\n"
    path = official.write(root / "ratings.csv", rows)
    official.write_photos(root / "images", ["a 1.jpg"])
    data = load_dataset("table", root, scale=Scale(1, 7))
    assert data.means == {"A 1.JPG": 5}
    assert data.notes == (
        f"{path}: left out 1 of 3 rows: 1 unrated (blank or 0)",
        "found 1 of 2 photos under another spelling of their names (accents, upper and lower case, %20), the "
        "first 'A 1.JPG' as 'a 1.jpg'",
    )
    official.write(path, rows + "ana,a 1.jpg,2\n")
    assert message("table", root, error=RatingsError, scale=Scale(1, 7)) == (
        f"{path}: 1 of 4 rows is bad: line 5, image 'a 1.jpg' was already rated by user 'ana' on line 2 as "
        "'A 1.JPG'. To do: delete one of the two rows, or pass --duplicates last or --duplicates mean"
    )


def test_a_score_outside_the_scale(official, root):
    path = official.write(root / "ratings.csv", ROWS)
    assert message("table", root, error=RatingsError) == (
        f"{path}: 1 of 3 rows is bad: line 2, score '7' is outside the scale 1..5. "
        "To do: correct the score or pass its real scale as --scale LOW HIGH"
    )


def test_an_unknown_user_in_the_list(official, root):
    path = official.write(root / "ratings.csv", ROWS)
    users = official.write(root / "u.txt", "ana\nben\n")
    assert message("table", root, users=users, scale=Scale(1, 7)) == (
        f"{users}: 1 of 2 rows is bad: line 2, user 'ben' has no ratings in {path}. "
        "To do: correct or delete these lines"
    )
    official.write(users, "user\n")
    assert message("table", root, users=users, scale=Scale(1, 7)) == (
        f"{users} has a header but no names; write one name a line"
    )


def test_no_table(root):
    assert message("table", root) == (
        f"{root} holds no ratings.csv, neither in it nor one folder deep; "
        "put the file of table there, it comes from you"
    )


def test_unknown_names_and_options(root):
    names = "flickr-aes, aadb, ava, ava1, ava2, tad66k, para, real-cur, table, histograms"
    assert ", ".join(DATASETS) == names
    assert message("flickr_aes", root) == "there is no dataset 'flickr_aes'; did you mean 'flickr-aes'?"
    assert message("coco", root) == f"there is no dataset 'coco'; choose one of {names}"
    assert message("ava", root, scale=Scale(1, 5)) == (
        "dataset 'ava' has no option 'scale'; its options are train, test, images"
    )
