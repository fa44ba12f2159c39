from __future__ import annotations

import pytest

from generic.errors import DatasetError
from protocols.datasets.load import load_dataset

CURE = "fetch the file again from a mirror, see https://github.com/imfing/ava_downloader"


def message(root, **options) -> str:
    with pytest.raises(DatasetError) as caught:
        load_dataset("ava", root, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_reads_histograms_and_their_means(official, root):
    official.ava(root, 2)
    data = load_dataset("ava", root)
    assert data.ratings is None
    assert data.counts == {
        "1001.jpg": (0, 1, 5, 17, 38, 36, 15, 6, 1, 1),
        "1002.jpg": (0, 1, 5, 17, 38, 36, 15, 6, 2, 1),
    }
    total = sum((1 + place) * n for place, n in enumerate(data.counts["1001.jpg"]))
    assert data.means["1001.jpg"] == pytest.approx(total / 120, abs=1e-15)
    assert data.lists == {}
    assert (
        data.notes[0] == "no split: papers use different ones, name yours by two list files, train and test"
    )


def test_split_comes_from_the_files_named(official, root):
    official.ava(root, 4)
    train = official.write(root / "t.lst", "1001\n1002\n")
    test = official.write(root / "s.lst", "image\n1004.jpg\n9.jpg\n")
    data = load_dataset("ava", root, train=train, test=test)
    assert data.lists == {"train": ("1001.jpg", "1002.jpg"), "test": ("1004.jpg", "9.jpg")}
    assert data.notes == (
        "1 of 2 images of list test have no label in AVA.txt",
        "labels only: no folder of images was found, name it with --images",
        "list train: t.lst",
        "list test: s.lst",
    )


def test_no_list_in_root_is_used_unasked(official, root):
    official.ava(root, name="AVA.test_part.txt")
    official.write(root / "train.lst", "1001\n")
    official.write(root / "test.lst", "1002\n")
    assert load_dataset("ava", root).lists == {}


@pytest.mark.parametrize("folder", ["images/images", "images", "image"])
def test_images_folder(official, root, folder):
    official.ava(root)
    official.write_photos(root / folder, ["1001.jpg"])
    assert load_dataset("ava", root).images == root / folder


def test_missing_file(root):
    assert message(root) == (
        f"{root} holds no AVA.txt or AVA.test_part.txt, neither in it nor one folder deep; "
        "put the file of ava there, it comes from a mirror, see https://github.com/imfing/ava_downloader"
    )


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("index,id,1,2", "has 1 field between spaces instead of 15"),
        ("9 1009 0 1 5 17", "has 6 fields between spaces instead of 15"),
        ("9 1009 0 1 5 17 38 -3 15 6 1 1 1 22 1396", "'-3' is not an id or a count"),
        ("9 1009 0 1 5 17 38 36 15 6 ² 1 1 22 1396", "'²' is not an id or a count"),
        ("9 photo.jpg 0 1 5 17 38 36 15 6 1 1 1 22 1396", "'photo.jpg' is not an id or a count"),
        ("9 1001 0 1 5 17 38 36 15 6 1 1 1 22 1396", "image id 1001 stands twice"),
        ("9 1009 0 0 0 0 0 0 0 0 0 0 1 22 1396", "image id 1009 has no votes"),
    ],
)
def test_bad_rows(official, root, row, what):
    path = official.ava(root, 2)
    path.write_text(path.read_text() + row + "\n", encoding="utf-8")
    assert message(root) == f"{path}: 1 of 3 rows is bad: line 3, {what}. To do: {CURE}"


def test_many_bad_rows_are_counted(official, root):
    path = official.write(root / "AVA.txt", "x\n" * 7)
    each = [f"line {line}, has 1 field between spaces instead of 15" for line in range(1, 6)]
    assert message(root) == f"{path}: 7 of 7 rows are bad: {'; '.join(each)}; and 2 more. To do: {CURE}"


def test_empty_file_and_byte_order_mark(official, root):
    path = official.write(root / "AVA.txt", "")
    assert message(root) == f"{path} is empty, expected labels; fetch the file again"
    official.ava(root)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(load_dataset("ava", root).means) == 6


def test_bad_lists(official, root):
    official.ava(root)
    lost = root / "lost.lst"
    assert message(root, train=lost) == (
        f"{lost} cannot be read: No such file or directory; check the path and its permissions"
    )
    path = official.write(root / "t.lst", "1001\n1002,5.5\n")
    assert message(root, train=path) == (
        f"{path}: 1 of 2 rows is bad: line 2, '1002,5.5' is not an image id. "
        "To do: write one id a line, such as 953619"
    )
    path = official.write(root / "t.lst", "1001\n1002\n1001\n")
    assert message(root, train=path) == (
        f"{path}: 1 of 3 rows is bad: line 3, '1001' stands on line 1 already. To do: write each name once"
    )
