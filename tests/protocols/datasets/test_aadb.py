from __future__ import annotations

import numpy as np
import pytest

from generic.errors import DatasetError
from protocols.datasets.aadb import image_name
from protocols.datasets.load import load_dataset

SOURCE = "https://github.com/aimerykong/deepImageAestheticsAnalysis"
CURE = f"fetch the released file again, see {SOURCE}"
TRAIN, VALIDATION, TEST = (
    f"imgList{part}Regression_score.txt" for part in ("Train", "Validation", "TestNew")
)


def message(root) -> str:
    with pytest.raises(DatasetError) as caught:
        load_dataset("aadb", root)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_reads_assignments_and_drops_flags(official, root):
    first = official.aadb_row("W1", [1, 2, 3, 4, 5, 0, 1, 2, 3, 4])
    second = official.aadb_row("W2", [5, 5, 0, 5, 5, 5, 5, 5, 5, 5], photos=range(5, 15))
    official.aadb(root, [first, second])
    data = load_dataset("aadb", root)
    one = data.ratings.for_user("W1")
    kept = [0, 1, 2, 3, 4, 6, 7, 8, 9]
    assert one.images == tuple(f"farm1_450_{100 + photo}_b.jpg" for photo in kept)
    assert one.scores.tolist() == [1, 2, 3, 4, 5, 1, 2, 3, 4]
    assert len(data.ratings) == 18
    assert data.means["farm1_450_106_b.jpg"] == 3
    assert data.lists == {}
    assert data.notes == (
        "2 scores of 0 (photo flagged as bad) dropped",
        "no official means: the means are those of the ratings",
        "labels only: no folder of images was found, name it with --images",
    )


def test_a_photo_rated_twice_by_a_worker_is_averaged(official, root):
    official.aadb(root, [official.aadb_row("W1", [2] * 10), official.aadb_row("W1", [3] * 10)])
    data = load_dataset("aadb", root)
    assert data.ratings.scores.tolist() == [2.5] * 10
    assert data.notes[0] == (
        "20 rows hold 10 ratings: 10 rows repeat pairs of user and image; their scores were averaged"
    )


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (
            "https://farm1.staticflickr.com/450/20131843366_5df791e881_b.jpg",
            "farm1_450_20131843366_5df791e881_b.jpg",
        ),
        ("http://farm4.staticflickr.com/3/a.jpg", "farm4_3_a.jpg"),
        ("farm1.staticflickr.com/450/x_b.jpg", None),
        ("https://farm1.staticflickr.com/x_b.jpg", None),
        ("https://[farm1/450/x_b.jpg", None),
        ("", None),
    ],
)
def test_names_of_photos(url, name):
    assert image_name(url) == name


def test_list_files_give_means_and_lists(official, root):
    folder = root / "imgListFiles_label"
    official.write(folder / TRAIN, "a.jpg 0.000\nb.jpg 1.000\n")
    official.write(folder / VALIDATION, "c.jpg 0.300\n")
    official.write(folder / TEST, "d.jpg 0.500\n")
    data = load_dataset("aadb", root)
    assert data.ratings is None
    assert data.means == pytest.approx({"a.jpg": 1, "b.jpg": 5, "c.jpg": 2.2, "d.jpg": 3}, abs=1e-15)
    assert data.lists == {"train": ("a.jpg", "b.jpg"), "validation": ("c.jpg",), "test": ("d.jpg",)}
    assert data.notes[0] == "no AllinAll.csv: means only"


def save_info(path, **replaced):
    from scipy.io import savemat

    names = np.array(["a.jpg", "b.jpg"], dtype=object)
    content = {"trainNameList": names, "trainScore": [0.25, 0.5], "testNameList": names[:1], "testScore": [1]}
    content |= replaced
    savemat(path, {key: value for key, value in content.items() if value is not None})
    return path


def test_mat_file_gives_means_and_lists(root):
    save_info(
        root / "AADBinfo.mat", testNameList=np.array(["x.jpg", "y.jpg"], dtype=object), testScore=[1, 0]
    )
    data = load_dataset("aadb", root)
    assert data.means == {"a.jpg": 2, "b.jpg": 3, "x.jpg": 5, "y.jpg": 1}
    assert data.lists == {"train": ("a.jpg", "b.jpg"), "test": ("x.jpg", "y.jpg")}
    assert data.notes[1] == "AADBinfo.mat lists no validation images"


def test_official_means_win_over_those_of_the_ratings(official, root):
    official.aadb(root, [official.aadb_row("W1", [2] * 10)])
    official.write(root / TRAIN, "farm1_450_100_b.jpg 1.0\n")
    data = load_dataset("aadb", root)
    assert data.means == {"farm1_450_100_b.jpg": 5}
    assert len(data.labelled()) == 10
    assert data.notes[:2] == (f"no {VALIDATION}", f"no {TEST}")


def test_nothing_there(root):
    assert message(root) == (
        f"{root} holds no AllinAll.csv or AADBinfo.mat or {TRAIN}, neither in it nor one folder deep; "
        f"put the file of aadb there, it comes from {SOURCE}"
    )


def test_wrong_header(official, root):
    header = ["HITId", "Worker"]
    path = official.aadb(root, [["H1", "W1"]], header=header)
    assert message(root) == (
        f"{path} has no column 'WorkerId' or 'Input.image_url1' or 'Input.image_url2'; "
        f"its columns are 'HITId', 'Worker'; {CURE}"
    )


def test_wrong_delimiter(official, root):
    path = official.aadb(root, [])
    path.write_text(path.read_text().replace('"', "").replace(",", ";"))
    cut = ";".join(official.aadb_header)[:59] + "…"
    assert message(root) == (
        f"{path} has no column 'WorkerId' or 'Input.image_url1' or 'Input.image_url2'; "
        f"its columns are '{cut}'; {CURE}"
    )


def test_bad_rows_are_reported_together(official, root):
    rows = [official.aadb_row("W1", [3] * 10) for _ in range(3)]
    rows[1][AT_URL] = "photo.jpg"
    rows[2][AT_SCORE] = "6"
    path = official.aadb(root, rows)
    assert message(root) == (
        f"{path}: 2 of 3 rows are bad: line 3, Input.image_url1 'photo.jpg' is not the address of a photo; "
        f"line 4, Answer.overallScore1 '6' is not one of 0 to 5. To do: {CURE}"
    )


AT_URL, AT_SCORE = 3, 13


def test_a_short_row(official, root):
    path = official.aadb(root, [official.aadb_row("W1", [3] * 10), ["H1", "t", "W1"]])
    assert message(root) == f"{path}: 1 of 2 rows is bad: line 3, has 3 fields instead of 24. To do: {CURE}"


def test_everything_flagged(official, root):
    path = official.aadb(root, [official.aadb_row("W1", [0] * 10)])
    assert message(root) == f"{path} flags every photo with 0 and rates none; {CURE}"


def test_empty_files(official, root):
    path = official.write(root / "AllinAll.csv", "\n \n")
    assert message(root) == f"{path} is empty, expected labels; fetch the file again"
    official.aadb(root, [])
    assert message(root) == f"{path} has a header but no rows; {CURE}"


def test_byte_order_mark(official, root):
    path = official.aadb(root, [official.aadb_row("W1", [2] * 10)])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(load_dataset("aadb", root).ratings) == 10


def test_broken_mat_files(root):
    path = root / "AADBinfo.mat"
    path.write_bytes(b"MATLAB 5.0 MAT-file" + b"\0" * 50)
    assert message(root).startswith(f"{path} is not a readable MATLAB file (")
    save_info(path, testScore=None)
    assert message(root) == f"{path} has no testScore; {CURE}"
    save_info(path, trainScore=[0.5, 0.5, 0.5])
    assert message(root) == f"{path} has 2 names but 3 scores; {CURE}"


def test_list_scores_outside_0_to_1(official, root):
    official.write(root / TRAIN, "a.jpg 0.5\nb.jpg 4\n")
    assert message(root) == (
        f"{root}: 1 score of the list files outside 0..1, the first is 4 of 'b.jpg'; {CURE}"
    )


def test_bad_list_rows(official, root):
    path = official.write(root / TRAIN, "a.jpg 0.5\nb.jpg,0.5\na.jpg 0.7\nc.jpg nan\n")
    assert message(root) == (
        f"{path}: 3 of 4 rows are bad: line 2, 'b.jpg,0.5' is not an image and a score; "
        f"line 3, image 'a.jpg' stands twice; line 4, 'c.jpg nan' is not an image and a score. To do: {CURE}"
    )
