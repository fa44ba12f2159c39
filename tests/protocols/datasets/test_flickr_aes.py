from __future__ import annotations

import re

import pytest

from generic.errors import DatasetError, RatingsError
from protocols.datasets.flickr_aes import TEST_WORKERS
from protocols.datasets.load import load_dataset

NAME = "FLICKR-AES_image_labeled_by_each_worker.csv"
SOURCE = "https://github.com/alanspike/personalizedImageAesthetics"
CURE = f"fetch the released file again from {SOURCE}, or correct these rows"


def message(root, *, error=DatasetError, **options) -> str:
    with pytest.raises(error) as caught:
        load_dataset("flickr-aes", root, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_reads_the_official_format(official, root):
    path = official.flickr_aes(root)
    data = load_dataset("flickr-aes", root)
    rows = official.flickr_rows()
    assert (data.name, str(data.scale), data.images) == ("flickr-aes", "1..5", None)
    assert list(zip(data.ratings.users, data.ratings.images, data.ratings.scores, strict=True)) == rows
    assert data.ratings.source == str(path)
    assert data.test_users == TEST_WORKERS
    # Rated 1 by the first test worker and 5 by a training worker.
    assert data.means["farm1_0_0.jpg"] == 3
    assert data.means["farm1_0_1.jpg"] == 2
    assert data.notes == (
        "no FLICKR-AES_image_score.txt: the means are those of the ratings",
        "labels only: no folder of images was found, name it with --images",
    )


def test_a_repeated_pair_is_averaged_and_noted(official, root):
    official.flickr_aes(root, [*official.flickr_rows(), (TEST_WORKERS[0], "farm1_0_0.jpg", 4)])
    data = load_dataset("flickr-aes", root)
    n = len(official.flickr_rows())
    assert len(data.ratings) == n
    assert data.ratings.scores[0] == 2.5
    assert data.notes[0] == (
        f"{n + 1} rows hold {n} ratings: 1 row repeats a pair of user and image; their scores were averaged"
    )


def test_part_file_one_folder_deep_with_its_training_list(official, root):
    rows = official.flickr_rows()[: 37 * 14]
    official.flickr_aes(root / "labels", rows, name=NAME.replace(".csv", ".test37.csv"))
    official.write(root / "labels" / "train_image_means_zscored.csv", "image,zscore\nx.jpg,-0.9\ny.jpg,1.5\n")
    official.write(root / "labels" / "test_workers_ID.csv", "ID\r\n" + "\r\n".join(TEST_WORKERS) + "\r\n")
    data = load_dataset("flickr-aes", root)
    assert data.lists == {"train": ("x.jpg", "y.jpg")}
    assert data.test_users == TEST_WORKERS
    assert data.notes[-1] == (
        "FLICKR-AES_image_labeled_by_each_worker.test37.csv holds the test workers only: "
        "nothing to train adapters' priors on"
    )


def test_missing_test_workers_are_noted(official, root):
    official.flickr_aes(root, [row for row in official.flickr_rows() if row[0] not in TEST_WORKERS[2:]])
    data = load_dataset("flickr-aes", root)
    assert data.test_users == TEST_WORKERS[:2]
    assert data.notes[-1] == "35 of the 37 official test workers have no ratings"


@pytest.mark.parametrize(
    ("lines", "expected", "noted"),
    [
        (" farm1_0_0.jpg 0.25\n farm1_0_1.jpg 1.0\n", {"farm1_0_0.jpg": 2.0, "farm1_0_1.jpg": 5.0}, True),
        ("farm1_0_0.jpg 2.5\nfarm1_0_1.jpg 1\n", {"farm1_0_0.jpg": 2.5, "farm1_0_1.jpg": 1.0}, False),
    ],
)
def test_official_means_come_onto_the_scale(official, root, lines, expected, noted):
    official.flickr_aes(root)
    official.write(root / "FLICKR-AES_image_score.txt", lines)
    data = load_dataset("flickr-aes", root)
    assert data.means == expected
    about = (
        "the means of FLICKR-AES_image_score.txt were in [0, 1] and lie on 1..5 up to a linear map"
        in data.notes
    )
    assert about == noted


def test_means_of_no_known_scale_are_refused(official, root):
    official.flickr_aes(root)
    path = official.write(root / "FLICKR-AES_image_score.txt", "a.jpg -0.5\nb.jpg 2\n")
    assert message(root) == (f"{path} has scores from -0.5 to 2, expected all in 0..1 or all in 1..5; {CURE}")


@pytest.mark.parametrize("header", ["﻿worker, imagePair, score", "worker;imagePair;score"])
def test_harmless_headers_are_read(official, root, header):
    rows = official.flickr_rows()
    path = official.flickr_aes(root, rows, header=header)
    if ";" in header:
        path.write_text(path.read_text("utf-8").replace(",", ";"), "utf-8")
    assert len(load_dataset("flickr-aes", root).ratings) == len(rows)


def test_images_folder_is_the_official_one_or_the_one_named(official, root):
    official.flickr_aes(root)
    official.write_photos(root / "FLICKR-AES-001" / "40K", ["farm1_0_0.jpg"])
    assert load_dataset("flickr-aes", root).images == root / "FLICKR-AES-001" / "40K"
    assert load_dataset("flickr-aes", root, images=root).images == root
    assert message(root, images=root / "40k") == (
        f"the images' folder {root / '40k'} does not exist; pass the folder that holds the images of "
        "flickr-aes, or none to use the labels alone"
    )


def test_missing_file(root):
    assert message(root) == (
        f"{root} holds no {NAME} or {NAME.replace('.csv', '.test37.csv')}, "
        "neither in it nor one folder deep; "
        f"put the file of flickr-aes there, it comes from {SOURCE}"
    )


def test_missing_root(root):
    assert message(root / "nowhere") == (
        f"the folder {root / 'nowhere'} of flickr-aes cannot be read: No such file or directory; "
        f"pass the folder that holds {NAME}"
    )


@pytest.mark.parametrize(
    ("header", "what"),
    [
        (
            "person, picture, score",
            "no image column; its columns are 'person', 'picture', 'score'; "
            "name the image column one of image, imagePair, imageName, file, filename, photo, path",
        ),
        (
            "worker|imagePair|score",
            "no image column and no score column; its columns are 'worker|imagePair|score'; name the image "
            "column one of image, imagePair, imageName, file, filename, photo, path and the score column one "
            "of score, rating, aestheticScore, stars",
        ),
    ],
)
def test_wrong_header_or_delimiter(official, root, header, what):
    path = official.flickr_aes(root, [], header=header)
    assert message(root, error=RatingsError) == f"{path} has {what}"


def test_scores_outside_the_scale_have_lines_and_the_right_cure(official, root):
    path = official.flickr_aes(root, [("W", "a.jpg", 3), ("W", "b.jpg", 6), ("W", "c.jpg", 0)])
    assert message(root, error=RatingsError) == (
        f"{path}: 2 of 3 rows are bad: line 3, score '6' is outside the scale 1..5; "
        f"line 4, score '0' is outside the scale 1..5. To do: {CURE}"
    )


def test_an_empty_file(official, root):
    path = official.write(root / NAME, "")
    assert message(root, error=RatingsError) == (
        f"{path} is empty, expected ratings; give it the columns user, image, score"
    )


def test_an_unknown_worker_in_the_id_list(official, root):
    official.flickr_aes(root)
    path = official.write(root / "test_workers_ID.csv", f"ID\n{TEST_WORKERS[0]}\nA1WRONG\n")
    assert message(root) == (
        f"{path}: 1 of 2 rows is bad: line 3, worker 'A1WRONG' is not one of the 37 official test workers. "
        "To do: delete the file, since the official list is built in"
    )


def test_the_shipped_ids_are_37_names():
    assert len(set(TEST_WORKERS)) == len(TEST_WORKERS) == 37
    assert all(re.fullmatch("A[0-9A-Z]{8,20}", worker) for worker in TEST_WORKERS)
