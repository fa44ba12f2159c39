"""``piaa compare`` as a person uses it, on files that somebody else may have written."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def runs(make_results, tmp_path, monkeypatch):
    """A run folder of ours, and a file of theirs."""
    monkeypatch.chdir(tmp_path)
    ours = {"ana": [0.5, 0.6], "bo": [0.3, 0.4], "cy": [0.2, 0.1]}
    theirs = {"ana": [0.4, 0.4], "bo": [0.2, 0.2], "cy": [0.3, 0.3], "dee": [0.9, 0.9]}
    (tmp_path / "run").mkdir()
    make_results({("a", "aadb", "auto", 10): ours}).save(tmp_path / "run" / "results.json")
    make_results({("b", "aadb", "theirs", 10): theirs}).save(tmp_path / "theirs.json")


def test_a_table_of_both_on_the_same_people(piaa, runs):
    done = piaa("compare", "run", "theirs.json", "--adapter", "auto", "--against", "theirs")
    assert done.exit_code == 0
    assert done.stderr == (
        "auto and theirs on aadb at k=10: 2 results are in one run only and were left out\n"
    )
    header, row, *notes = done.stdout.splitlines()
    assert [word.strip() for word in header.split("  ") if word.strip()] == [
        *("tested on", "k", "first", "second", "users", "first SRCC", "second SRCC", "difference"),
        *("95 %, users", "below second", "p", "p, Holm"),
    ]
    assert row.split() == [
        *("AADB", "10", "auto", "theirs", "3", "0.350", "0.300", "+0.0500"),
        *("[-0.150,", "+0.150]", "33", "%,", "-0.120,", "-0.150", "0.750", "0.750"),
    ]
    assert len(notes) == 3


def test_the_same_for_machines(piaa, runs):
    done = piaa("compare", "run", "theirs.json", "--against", "theirs", "--json")
    content = json.loads(done.stdout)
    assert (content["first"], content["second"]) == ("run", "theirs.json")
    (row,) = content["rows"]
    assert (row["n_users"], row["n_pairs"], row["n_alone"]) == (3, 6, 2)
    assert row["harm"]["below"] == pytest.approx(1 / 3)


def test_what_cannot_be_compared_is_one_line(piaa, runs, tmp_path):
    done = piaa("compare", "run", "theirs.json")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == (
        "piaa: no rows of the two runs can be paired: the first has auto on aadb at k=10, the second "
        "theirs on aadb at k=10; name an adapter of each, tested on the same dataset at the same k, "
        "with --adapter and --against\n"
    )
    (tmp_path / "old.json").write_text('{"format": 1}')
    assert piaa("compare", "run", "old.json").stderr == (
        "piaa: results old.json cannot be read as results of `piaa evaluate` (format 1, expected 2); run it "
        "again, or write them as docs/results.md says\n"
    )
