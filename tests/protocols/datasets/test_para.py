from __future__ import annotations

import pytest

from generic.errors import DatasetError
from protocols.datasets.load import load_dataset

SOURCE = "https://cv-datasets.institutecv.com/#/data-sets"
CURE = f"fetch the released file again from {SOURCE}, or correct these rows"
ROWS = [
    ("session1", "iaa_pub1_.jpg", "A1", 3.5),
    ("session1", "iaa_pub1_.jpg", "B2", 4.5),
    ("session2", "iaa_pub1_.jpg", "A1", 1),
]


def message(root) -> str:
    with pytest.raises(DatasetError) as caught:
        load_dataset("para", root)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_images_are_named_by_their_session(official, root):
    official.para(root, ROWS)
    official.write_photos(root / "imgs", ["session1/iaa_pub1_.jpg"])
    data = load_dataset("para", root)
    assert data.ratings.users == ("A1", "B2", "A1")
    assert data.ratings.images == (*["session1/iaa_pub1_.jpg"] * 2, "session2/iaa_pub1_.jpg")
    assert data.means == {"session1/iaa_pub1_.jpg": 4, "session2/iaa_pub1_.jpg": 1}
    assert (data.images / data.ratings.images[0]).is_file()
    assert (data.test_users, data.lists, data.notes) == ((), {}, ())


def test_official_lists(official, root):
    official.para(root, ROWS)
    for part, session in (("Train", 1), ("Test", 2)):
        text = f"imageName,sessionId,semantic\niaa_pub1_.jpg,session{session},scene\n"
        official.write(root / "annotation" / f"PARA-Giaa{part}.csv", text)
    assert load_dataset("para", root).lists == {
        "train": ("session1/iaa_pub1_.jpg",),
        "test": ("session2/iaa_pub1_.jpg",),
    }


def test_a_repeated_rating_is_averaged(official, root):
    official.para(root, [*ROWS, ("session2", "iaa_pub1_.jpg", "A1", 2)])
    data = load_dataset("para", root)
    assert data.ratings.scores.tolist() == [3.5, 4.5, 1.5]
    assert data.notes[0] == (
        "4 rows hold 3 ratings: 1 row repeats a pair of user and image; their scores were averaged"
    )


def test_missing_file(root):
    assert message(root) == (
        f"{root} holds no PARA-Images.csv, neither in it nor one folder deep; "
        f"put the file of para there, it comes from {SOURCE}"
    )


def test_wrong_header_or_delimiter(official, root):
    path = official.para(root, ROWS, header="session,imageName,userId,score,q,s")
    assert message(root) == (
        f"{path} has no column 'sessionId' or 'aestheticScore'; "
        f"its columns are 'session', 'imageName', 'userId', 'score', 'q', 's'; {CURE}"
    )
    path.write_text("sessionId;imageName;userId;aestheticScore\n")
    assert message(root) == (
        f"{path} has no column 'sessionId' or 'imageName' or 'userId'; "
        f"its columns are 'sessionId;imageName;userId;aestheticScore'; {CURE}"
    )


def test_bad_rows(official, root):
    rows = [
        *ROWS,
        ("session2", "x.jpg", "A1", 5.5),
        ("session2", "", "A1", 2),
        ("session2", "y.jpg", "A1", "good"),
    ]
    path = official.para(root, rows)
    assert message(root) == (
        f"{path}: 3 of 6 rows are bad: line 5, aestheticScore '5.5' is not a number within 1..5; "
        "line 6, sessionId, imageName or userId is empty; "
        f"line 7, aestheticScore 'good' is not a number within 1..5. To do: {CURE}"
    )


@pytest.mark.parametrize(
    ("quoted", "n"), [('"x.jpg"y', 5), ('"x.jpg', 4)], ids=["text after the quote", "never closed"]
)
def test_broken_quotes_are_reported_where_they_begin(official, root, quoted, n):
    path = official.para(root, [*ROWS, ("session2", quoted, "A1", 3), ROWS[0]])
    assert message(root) == (
        f"{path}: 1 of {n} rows is bad: line 5, has a broken double quote. To do: {CURE}"
    )


def test_empty_file_byte_order_mark_and_other_encodings(official, root):
    path = official.para(root, ROWS)
    path.write_text("sessionId,imageName,userId,aestheticScore\ns1,ä.jpg,A1,3\n", encoding="utf-8-sig")
    assert load_dataset("para", root).ratings.images == ("s1/ä.jpg",)
    path.write_text("sessionId,imageName,userId,aestheticScore\ns1,ä.jpg,A1,3\n", encoding="latin-1")
    assert message(root) == f"{path}: the byte at offset 45 is not UTF-8; save the file as UTF-8 text"
    path.write_bytes(b"")
    assert message(root) == f"{path} is empty, expected labels; fetch the file again"
