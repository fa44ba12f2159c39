from __future__ import annotations

import json
from pathlib import Path

import pytest

from generic.errors import DatasetError
from protocols.datasets.describe import describe
from protocols.datasets.load import load_dataset


@pytest.fixture
def table(tmp_path) -> Path:
    """Four users with 4, 12, 15 and 30 ratings."""
    rows = [f"u{n},{i}.jpg,{1 + i % 5}" for n in (4, 12, 15, 30) for i in range(n)]
    (tmp_path / "ratings.csv").write_text("\n".join(("user,image,score", *rows)))
    return tmp_path


def test_what_remains_at_each_number_of_shots(table):
    described = describe(load_dataset("table", table), [10, 13, 28, 29, 1])
    assert described.lines() == [
        "table: 4 users, 61 ratings, 4/13.5/30 per user (min/median/max)",
        "shots    users  skipped  query images per user (min/median/max)",
        "   10        3        1  2/5/20",
        "   13        2        2  2/9.5/17",
        "   28        1        3  2/2/2",
        "   29        0        4  none",
        "    1        4        0  3/12.5/29",
    ]
    facts = json.loads(json.dumps(described.facts()))
    assert facts["ratings_per_user"] == {"u4": 4, "u12": 12, "u15": 15, "u30": 30}
    assert facts["shots"][3] == {
        "k": 29,
        "n_users": 0,
        "n_short": 4,
        "smallest": None,
        "median": None,
        "largest": None,
    }


def test_only_test_users_count_where_there_are_some(table):
    users = table / "users.txt"
    users.write_text("u30\nu12\n")
    described = describe(load_dataset("table", table, users=users), [10])
    assert described.lines()[0] == "table: 2 test users, 42 ratings, 12/21/30 per user (min/median/max)"
    assert (described.shots[0].smallest, described.shots[0].largest) == (2, 20)


def test_no_users(tmp_path):
    (tmp_path / "AVA.txt").write_text("1 1 0 0 0 0 9 1 0 0 0 0 0 0 0\n")
    with pytest.raises(DatasetError) as caught:
        describe(load_dataset("ava", tmp_path), [10])
    assert str(caught.value) == (
        "dataset 'ava' has no ratings by single users here, so there is nothing to learn from; "
        "describe one that has, such as flickr-aes"
    )


@pytest.mark.parametrize("shots", [[], [10, 0]])
def test_impossible_shots(table, shots):
    with pytest.raises(DatasetError) as caught:
        describe(load_dataset("table", table), shots)
    assert str(caught.value) == f"the shots are {shots}, expected numbers of 1 or more such as 10 and 100"


def test_the_released_part_of_flickr_aes(shared_data):
    folder = shared_data / "labels" / "flickr_aes"
    if not folder.is_dir():
        pytest.skip(reason="no released labels beside the checkout")
    assert describe(load_dataset("flickr-aes", folder), [10, 100]).lines() == [
        "flickr-aes: 37 test users, 5,138 ratings, 112/120/180 per user (min/median/max)",
        "shots    users  skipped  query images per user (min/median/max)",
        "   10       37        0  102/110/170",
        "  100       37        0  12/20/80",
    ]
