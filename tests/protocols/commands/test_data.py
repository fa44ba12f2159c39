"""``piaa data`` as a person uses it, on generated labels and on the real ones."""

from __future__ import annotations

import csv
import json
import shutil

import pytest

from protocols.splits.split import read_split


@pytest.fixture
def table(tmp_path, album, names):
    """A folder with ratings.csv and images/, as the dataset ``table`` wants it: ana rated all, bo some."""
    root = tmp_path / "my data"
    root.mkdir()
    shutil.copytree(album, root / "images")
    rows = [
        f"{user},{name},{n % 5 + 1}"
        for user, k in (("ana", 12), ("bo", 5))
        for n, name in enumerate(names[:k])
    ]
    (root / "ratings.csv").write_text("\n".join(("user,image,score", *rows)) + "\n")
    return root


# ---- check ----


def test_check_of_a_whole_table(piaa, table):
    result = piaa("data", "check", "table", table)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "table, scores on 1..5",
        "                           found  published",
        "ratings                       17",
        "users                          2",
        "ratings per user        5/8.5/12",
        "images                        12",
        "scores                  1: 4  2: 4  3: 3  4: 3  5: 3",
        f"images found            12 of 12 in {table / 'images'}",
        "user protocol           can run: 1 of 2 users have 12 ratings or more of images that were found, "
        "as 10 shots need; 0 have the 102 that 100 shots need",
        "generic protocol        can run: 12 images for training have a mean and a file",
    ]


def test_check_ends_with_1_where_nothing_can_run(piaa, table, names, tmp_path):
    (table / "images" / names[0]).unlink()
    (table / "images" / "more.jpg").write_bytes(b"")
    problems = tmp_path / "problems.csv"
    result = piaa("data", "check", "table", table, "--out", problems)
    assert (result.exit_code, result.stderr) == (1, "")
    reason = f"no file {names[0]!r} in {table / 'images'} or below it"
    assert result.stdout.splitlines()[7:12] == [
        f"images found            11 of 12 in {table / 'images'}",
        "images missing          1",
        f"  {names[0]}: {reason}",
        "images without a label  1",
        "  more.jpg",
    ]
    assert "user protocol           cannot run: 0 of 2 users have 12 ratings" in result.stdout
    with problems.open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["image", "problem", "reason"],
            [names[0], "missing", reason],
            ["more.jpg", "no label", ""],
        ]
    facts = json.loads((machine := piaa("data", "check", "table", table, "--json")).stdout)
    assert (machine.exit_code, facts["can_run"]) == (1, False)
    assert facts["missing"] == [{"image": names[0], "reason": reason}]


def test_options_reach_the_loader(piaa, table, tmp_path):
    users = tmp_path / "users.txt"
    users.write_text("bo\n")
    moved = tmp_path / "marks.csv"
    (table / "ratings.csv").rename(moved)
    moved.write_text(moved.read_text() + "bo,extra.jpg,9\nbo,extra.jpg,7\n")
    given = ("--ratings", moved, "--users", users, "--scale", 0, 10, "--duplicates", "mean")
    facts = json.loads(piaa("data", "check", "table", table, *given, "--json").stdout)
    counts = {row["what"]: row["found"] for row in facts["counts"]}
    assert (facts["scale"], counts["ratings"], counts["test users"]) == ("0..10", 18, 1)
    assert facts["histogram"]["8"] == 1


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ("check", "flikr-aes", "x"),
            "there is no dataset 'flikr-aes'; did you mean 'flickr-aes'?",
        ),
        (
            ("check", "table", "nowhere"),
            "the folder nowhere of table cannot be read: No such file or directory; "
            "pass the folder that holds ratings.csv",
        ),
        (
            ("check", "real-cur", "x", "--users", "u.txt"),
            "dataset 'real-cur' has no option 'users'; its options are images",
        ),
    ],
)
def test_what_does_not_exist_is_one_line(piaa, args, message):
    result = piaa("data", *args)
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"piaa: {message}\n")
    machine = piaa("data", *args, "--json")
    assert (machine.exit_code, json.loads(machine.stdout)["error"]) == (1, message)


def test_duplicates_are_named_or_refused(piaa, table):
    result = piaa("data", "check", "table", table, "--duplicates", "first")
    assert result.exit_code == 2
    assert "--duplicates takes 'error', 'last' or 'mean', not 'first'" in result.stderr


# ---- describe ----


def test_describe_counts_query_images(piaa, table):
    result = piaa("data", "describe", "table", table, "--shots", "2, 4,10")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "table: 2 users, 17 ratings, 5/8.5/12 per user (min/median/max)",
        "shots    users  skipped  query images per user (min/median/max)",
        "    2        2        0  3/6.5/10",
        "    4        1        1  8/8/8",
        "   10        1        1  2/2/2",
    ]
    facts = json.loads(piaa("data", "describe", "table", table, "--shots", "2", "--json").stdout)
    assert facts["ratings_per_user"] == {"ana": 12, "bo": 5}
    assert facts["shots"] == [
        {"k": 2, "n_users": 2, "n_short": 0, "smallest": 3, "median": 6.5, "largest": 10}
    ]


@pytest.mark.parametrize(
    ("shots", "message"),
    [
        ("ten", "--shots takes whole numbers such as 10,100, not 'ten'"),
        (" , ", "--shots is empty; give one or more, separated by commas"),
    ],
)
def test_describe_refuses_shots_that_are_none(piaa, table, shots, message):
    result = piaa("data", "describe", "table", table, "--shots", shots)
    assert result.exit_code == 2
    assert message in result.stderr


def test_describe_of_the_released_flickr_aes_labels(piaa, shared_data):
    result = piaa("data", "describe", "flickr-aes", shared_data / "labels" / "flickr_aes")
    assert result.stdout.splitlines() == [
        "flickr-aes: 37 test users, 5,138 ratings, 112/120/180 per user (min/median/max)",
        "shots    users  skipped  query images per user (min/median/max)",
        "   10       37        0  102/110/170",
        "  100       37        0  12/20/80",
    ]


# ---- split ----


def test_split_writes_what_evaluate_reads(piaa, table, tmp_path, names):
    out, users = tmp_path / "split.json", tmp_path / "users.txt"
    users.write_text("bo\n")
    result = piaa("data", "split", "table", table, "--out", out, "--test-users", users)
    split = read_split(out)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "Test users: a given list; test images: all that they rated; training images: all that they did not.",
        "train: 1 user, 7 images",
        "test: 1 user, 5 images",
        f"written: {out} ({split.hash[:8]})",
    ]
    assert (split.test_users, split.train_users) == (("bo",), ("ana",))
    assert split.test_images == tuple(sorted(names[:5]))
    facts = json.loads(
        piaa("data", "split", "table", table, "--out", out, "--test-share", 0.5, "--json").stdout
    )
    split = read_split(out)
    assert facts == {
        "dataset": "table",
        "rule": split.rule,
        "counts": split.counts,
        "sha256": split.hash,
        "file": str(out),
    }


def test_split_by_images_and_by_users_and_images(piaa, table, tmp_path, names):
    out, images, users = tmp_path / "split.json", tmp_path / "images.txt", tmp_path / "users.txt"
    images.write_text("\n".join(names[3:8]))
    users.write_text("user\nana\n")
    assert piaa("data", "split", "table", table, "--out", out, "--test-images", images).exit_code == 0
    assert read_split(out).test_users == ("ana", "bo")
    both = ("--test-images", images, "--test-users", users)
    assert piaa("data", "split", "table", table, "--out", out, *both).exit_code == 0
    split = read_split(out)
    assert (split.test_users, split.train_users) == (("ana",), ("bo",))
    assert split.test_images == tuple(sorted(names[3:8]))


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            (),
            "dataset 'table' has no split of its own; make one with `piaa data split` and test images "
            "(--test-images FILE), test users (--test-users FILE) or a share (--test-share 0.2)",
        ),
        (
            ("--test-share", "2"),
            "test_share=2.0 is outside of (0, 1); give one of the two, a share such as 0.2",
        ),
        (
            ("--test-users", "none.txt"),
            "none.txt cannot be read: No such file or directory; check the path and its permissions",
        ),
    ],
)
def test_split_needs_a_rule(piaa, table, tmp_path, args, message):
    out = tmp_path / "split.json"
    result = piaa("data", "split", "table", table, "--out", out, *args)
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"piaa: {message}\n")
    assert not out.exists()


def test_the_official_split_of_the_released_flickr_aes_labels(piaa, shared_data, tmp_path):
    out = tmp_path / "split.json"
    result = piaa("data", "split", "flickr-aes", shared_data / "labels" / "flickr_aes", "--out", out)
    assert result.stdout.splitlines()[1:3] == [
        "train: 0 users, 36,564 images",
        "test: 37 users, 4,977 images",
    ]
    assert read_split(out).hash[:8] in result.stdout
