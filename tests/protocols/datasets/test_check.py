from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import pytest

from generic.errors import OutputError
from piaa.ratings.scale import Scale
from protocols.datasets.check import check
from protocols.datasets.flickr_aes import TEST_WORKERS
from protocols.datasets.load import load_dataset

FLICKR = "FLICKR-AES_image_labeled_by_each_worker.csv"
N_PHOTOS = 14


@pytest.fixture
def root(tmp_path) -> Path:
    folder = tmp_path / "Dätensätze für 写真"
    folder.mkdir()
    return folder


def write_flickr(root: Path, n_photos: int = N_PHOTOS) -> list[str]:
    """37 test workers and two others with photos of their own; names of the photos."""
    workers = [*TEST_WORKERS, "T1", "T2"]
    rows = [(w, f"{n}_{p}.jpg", 1 + p % 5) for n, w in enumerate(workers) for p in range(n_photos)]
    text = "\n".join(f"{worker},{image},{score}" for worker, image, score in rows)
    (root / FLICKR).write_text(f"worker, imagePair, score\n{text}\n", encoding="utf-8")
    return [image for _, image, _ in rows]


def put(folder: Path, names) -> None:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"")


def test_labels_alone(root):
    write_flickr(root)
    report = check(load_dataset("flickr-aes", root))
    found = {row.what: row.found for row in report.counts}
    assert found == {
        "ratings": 546,
        "users": 39,
        "ratings per user": "14/14/14",
        "images": 546,
        "test users": 37,
        "test ratings": 518,
        "ratings per test user": "14/14/14",
        "test images": 518,
        "train images": 28,
    }
    assert report.histogram == {"1": 117, "2": 117, "3": 117, "4": 117, "5": 78}
    assert (report.images, report.missing, report.unlabelled) == (None, (), ())
    assert report.user_protocol.can_run
    assert report.user_protocol.why == (
        "37 of 37 test users have 12 ratings or more, as 10 shots need; 0 have the 102 that 100 shots need"
    )
    assert report.generic_protocol.can_run
    assert report.generic_protocol.why == "28 images for training have a mean"
    assert report.can_run


def test_text_shows_found_beside_every_published_count(root):
    write_flickr(root)
    assert check(load_dataset("flickr-aes", root)).lines() == [
        "flickr-aes, scores on 1..5",
        "                           found  published",
        "ratings                      546  193,208 (rows of the released file)",
        "users                         39  210 (Ren et al. 2017)",
        "ratings per user        14/14/14",
        "images                       546  40,988 (Ren et al. 2017)",
        "test users                    37  37 (Ren et al. 2017)",
        "test ratings                 518  5,138 (the released labels, 5,139 rows with one pair twice)",
        "ratings per test user   14/14/14  105 to 171 (Ren et al. 2017), 112/120/180 (the released labels)",
        "test images                  518  4,737 (papers), 4,977 (the released labels)",
        "train images                  28  35,263 (papers), 36,564 (the released labels)",
        "scores                  1: 117  2: 117  3: 117  4: 117  5: 78",
        "user protocol           can run: 37 of 37 test users have 12 ratings or more, as 10 shots need; "
        "0 have the 102 that 100 shots need",
        "generic protocol        can run: 28 images for training have a mean",
        "note: no FLICKR-AES_image_score.txt: the means are those of the ratings",
        "note: labels only: no folder of images was found, name it with --images",
    ]


def test_who_has_enough_for_100_shots_is_counted_for_itself(tmp_path):
    """101 ratings and 102: a hundred to learn from leave one photo, which cannot be ranked, or two."""
    rows = [f"{user},{n}.jpg,{1 + n % 5}" for user, many in (("ana", 101), ("bo", 102)) for n in range(many)]
    (tmp_path / "ratings.csv").write_text("\n".join(("user,image,score", *rows)) + "\n")
    assert check(load_dataset("table", tmp_path)).user_protocol.why == (
        "2 of 2 users have 12 ratings or more, as 10 shots need; 1 have the 102 that 100 shots need"
    )


def test_half_the_images_are_absent(root):
    names = write_flickr(root)
    put(root / "40K", [*names[::2], "own photo.jpg"])
    report = check(load_dataset("flickr-aes", root))
    assert [name for name, _ in report.missing] == names[1::2]
    assert report.unlabelled == ("own photo.jpg",)
    # Seven of each worker's fourteen are left.
    assert not report.user_protocol.can_run
    assert report.user_protocol.why == (
        "0 of 37 test users have 12 ratings or more of images that were found, as 10 shots need; "
        "0 have the 102 that 100 shots need"
    )
    assert report.generic_protocol.why == "14 images for training have a mean and a file"
    assert not report.can_run
    folder = root / "40K"
    text = report.lines()
    at = text.index(f"images found            273 of 546 in {folder}")
    assert text[at + 1 : at + 3] == [
        "images missing          273",
        f"  0_1.jpg: no file '0_1.jpg' in {folder} or below it",
    ]
    assert text[at + 12 : at + 17] == [
        "  and 263 more (all with --out)",
        "images without a label  1",
        "  own photo.jpg",
        "user protocol           cannot run: "
        "0 of 37 test users have 12 ratings or more of images that were found, as 10 shots need; "
        "0 have the 102 that 100 shots need",
        "generic protocol        can run: 14 images for training have a mean and a file",
    ]


def test_all_images_are_there(root):
    names = write_flickr(root)
    put(root / "40K", names)
    report = check(load_dataset("flickr-aes", root))
    assert (report.missing, report.unlabelled) == ((), ())
    assert f"images found            546 of 546 in {root / '40K'}" in report.lines()
    assert report.user_protocol.can_run


def test_no_image_at_all_stops_both_protocols(root):
    write_flickr(root)
    (root / "40K").mkdir()
    report = check(load_dataset("flickr-aes", root))
    assert len(report.missing) == 546
    assert report.missing[0] == ("0_0.jpg", f"no file '0_0.jpg' in {root / '40K'} or below it")
    assert report.generic_protocol.why == "0 images for training have a mean and a file"
    assert not report.can_run


def test_too_few_ratings_stop_the_user_protocol(root):
    write_flickr(root, n_photos=11)
    report = check(load_dataset("flickr-aes", root))
    assert (report.user_protocol.can_run, report.generic_protocol.can_run) == (False, True)
    assert not report.can_run


def test_images_shared_with_test_users_are_no_training_images(root):
    write_flickr(root)
    path = root / FLICKR
    path.write_text(path.read_text() + f"{TEST_WORKERS[0]},37_0.jpg,3\n")
    report = check(load_dataset("flickr-aes", root))
    assert {row.what: row.found for row in report.counts}["train images"] == 27
    assert report.generic_protocol.why == "27 images for training have a mean"


def test_every_name_goes_to_the_file(root):
    names = write_flickr(root)
    put(root / "40K", [*names[:-12], "q, “x”.jpg"])
    report = check(load_dataset("flickr-aes", root))
    out = root / "problems.csv"
    report.write_problems(out)
    rows = list(csv.reader(out.read_text("utf-8-sig").splitlines()))
    assert rows == [
        ["image", "problem", "reason"],
        *([name, "missing", f"no file {name!r} in {root / '40K'} or below it"] for name in names[-12:]),
        ["q, “x”.jpg", "no label", ""],
    ]
    with pytest.raises(OutputError, match="does not exist; create it"):
        report.write_problems(root / "nowhere" / "problems.csv")


def test_facts_are_plain_json(root):
    names = write_flickr(root)
    put(root / "40K", names[1:])
    facts = json.loads(json.dumps(check(load_dataset("flickr-aes", root)).facts()))
    reason = f"no file '0_0.jpg' in {root / '40K'} or below it"
    assert facts["missing"] == [{"image": names[0], "reason": reason}]
    assert facts["can_run"] is True
    assert facts["counts"][1] == {
        "what": "users",
        "found": 39,
        "published": [{"what": "users", "value": 210, "source": "Ren et al. 2017"}],
    }


def test_means_only(root):
    (root / "AVA.txt").write_text("".join(f"{i} {i} 0 0 0 0 9 {i} 0 0 0 0 0 0 0\n" for i in range(1, 5)))
    (root / "t.lst").write_text("1\n2\n9\n")
    report = check(load_dataset("ava", root))
    assert report.histogram == {
        **dict.fromkeys("1234", 0),
        "5": 36,
        "6": 10,
        **dict.fromkeys("789", 0),
        "10": 0,
    }
    assert report.user_protocol.why == "there are no ratings by single users"
    assert report.generic_protocol.why == "there is no split into images for training and for tests"
    assert not report.can_run
    report = check(load_dataset("ava", root, train=root / "t.lst"))
    assert report.n_named == 5
    assert report.generic_protocol.why == "2 images for training have a mean"
    assert report.can_run
    assert [(row.what, row.found) for row in report.counts] == [
        ("images", 4),
        ("votes per image", "10/11.5/13"),
        ("list train", 3),
    ]


@pytest.mark.parametrize(
    ("scale", "first", "n_bars"),
    [
        (Scale(1, 5), "1..1.5", 8),
        (Scale(1, 10), "1..2", 9),
        (Scale(0, 1), "0..0.1", 10),
        (Scale(0, 100), "0..10", 10),
    ],
)
def test_many_different_scores_are_shown_in_ranges(root, scale, first, n_bars):
    step = (scale.high - scale.low) / 30
    rows = "".join(f"ana,{i}.jpg,{scale.low + i * step}\n" for i in range(30))
    (root / "ratings.csv").write_text(f"user,image,score\n{rows}")
    histogram = check(load_dataset("table", root, scale=scale)).histogram
    assert next(iter(histogram)) == first
    assert (len(histogram), sum(histogram.values())) == (n_bars, 30)


def test_a_dataset_that_nobody_published_can_be_checked(root):
    (root / "ratings.csv").write_text("user,image,score\n" + "".join(f"ana,{i}.jpg,3\n" for i in range(12)))
    own = dataclasses.replace(load_dataset("table", root), name="my own")
    report = check(own)
    assert report.lines()[2] == "ratings                       12"
    assert report.user_protocol.can_run


def test_the_released_part_of_flickr_aes(shared_data):
    folder = shared_data / "labels" / "flickr_aes"
    if not folder.is_dir():
        pytest.skip(reason="no released labels beside the checkout")
    report = check(load_dataset("flickr-aes", folder))
    found = {row.what: row.found for row in report.counts}
    assert found["ratings per test user"] == "112/120/180"
    assert (found["test users"], found["test ratings"], found["test images"]) == (37, 5138, 4977)
    assert found["train images"] == 36_564
    assert report.histogram == {"1": 527, "2": 1210, "3": 1523, "4": 1246, "5": 632}
    assert report.user_protocol.can_run
    # Training images are listed without scores on the scale.
    assert not report.generic_protocol.can_run
