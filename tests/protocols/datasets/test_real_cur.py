from __future__ import annotations

import pytest

from generic.errors import DatasetError, RatingsError
from protocols.datasets.load import load_dataset

PHOTOS = ("ana/5/IMG 1.jpg", "ana/2/b.JPG", "bén/5/IMG 1.jpg")


def message(root, error=DatasetError) -> str:
    with pytest.raises(error) as caught:
        load_dataset("real-cur", root)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("folder", ["", "images", "REAL-CUR"])
def test_folders_alone_are_labels(official, root, folder):
    official.write_photos(root / folder, [*PHOTOS, "ana/5/note.txt", "ana/6/c.jpg", "ana/d.jpg"])
    data = load_dataset("real-cur", root)
    assert data.ratings.users == ("ana", "ana", "bén")
    assert data.ratings.images == ("ana/2/b.JPG", "ana/5/IMG 1.jpg", "bén/5/IMG 1.jpg")
    assert data.ratings.scores.tolist() == [2, 5, 5]
    assert all((data.images / image).is_file() for image in data.ratings.images)
    assert (data.test_users, data.notes) == ((), ())


def test_a_table_gives_the_same_as_the_folders(official, root):
    official.write_photos(root / "images", PHOTOS)
    folders = load_dataset("real-cur", root)
    rows = ["ana,b.JPG,2", "ana,IMG 1.jpg,5", "bén,IMG 1.jpg,5"]
    official.write(root / "REAL-CUR.csv", "\n".join(("worker,image,score", *rows)), encoding="utf-8-sig")
    table = load_dataset("real-cur", root)
    assert table.ratings == folders.ratings
    assert (table.images, table.means) == (folders.images, folders.means)


def test_a_table_without_photos(official, root):
    official.write(root / "REAL-CUR.csv", "worker,image,score\nana,a.jpg,3\n")
    data = load_dataset("real-cur", root)
    assert data.images is None
    assert data.notes == ("labels only: no folder of images was found, name it with --images",)


def test_neither_table_nor_folders(official, root):
    official.write_photos(root / "ana", ["a.jpg"])
    assert message(root) == (
        f"{root} holds neither REAL-CUR.csv nor photos in folders OWNER/SCORE with scores 1 to 5; "
        "put the files of real-cur there, they come from https://github.com/alanspike/personalizedImageAesthetics"
    )


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            "worker,image,score\nana,a.jpg,7\n",
            ": 1 of 1 row is bad: line 2, score '7' is outside the scale 1..5. To do: correct these rows",
        ),
        (
            "owner,image,score\nana,a.jpg,3\n",
            " has no user column and no user is named; its columns are 'owner', 'image', 'score'; "
            "add a column named one of user, worker, userId, user_id, rater",
        ),
        ("", " is empty, expected ratings; give it the columns user, image, score"),
    ],
)
def test_bad_tables(official, root, text, what):
    path = official.write(root / "REAL-CUR.csv", text)
    assert message(root, RatingsError) == f"{path}{what}"
