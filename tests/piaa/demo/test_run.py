"""`piaa demo` as a newcomer runs it."""

from __future__ import annotations

import csv
import html
import json
import shlex

import pytest
from typer.testing import CliRunner

from cli import app
from piaa.demo.people import draw_people
from piaa.demo.scenes import draw_scenes


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("PIAA_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def read(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_the_demo_from_nothing(tmp_path):
    out = tmp_path / "demo"
    result = run("demo", "--out", out)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert (
        lines[0]
        == "This album is rendered by code and its 20 people are simulated: no photographs, nobody real."
    )
    assert lines[1] == draw_people(1, 0)[0].describe("Ana")
    assert lines[-1] == "now with your own: piaa open ~/Pictures"
    assert sorted(path.name for path in out.iterdir()) == [
        "README.txt",
        "photos",
        "piaa.db",
        "ratings.csv",
        "scores.csv",
        "wall",
    ]
    again = run("demo", "--out", out, "--json")
    assert again.exit_code == 0, again.output
    facts = json.loads(again.stdout)
    assert (facts["user"], facts["n_rated"], facts["n_ranked"], facts["n_people"]) == ("Ana", 30, 70, 20)

    # Everybody counts, and what is learned shows far beyond chance.
    crowd, ten, thirty = facts["compared"]
    assert [row["k"] for row in (crowd, ten, thirty)] == [0, 10, 30]
    assert crowd["high"] < ten["low"] < ten["pairs"] < thirty["low"]
    assert ten["better"] >= 15 <= thirty["better"]
    assert (crowd["real"], ten["real"], thirty["real"]) == pytest.approx((0.7275, 0.734, 0.7425), abs=5e-4)

    page = (out / "wall" / "index.html").read_text()
    assert page.count("<figure") == len(list((out / "wall" / "thumbnails").iterdir())) == 100
    assert page.count('data-own="') == 30
    assert f"<p>{html.escape(' '.join(facts['story'].split()))}</p>" in page

    given = draw_people(1, 0)[0].rate(draw_scenes(100, 0), 0)
    rated = {row["image"]: int(row["score"]) for row in read(out / "ratings.csv")}
    assert rated == {name: given[int(name[6:9]) - 1] for name in rated}
    assert not rated.keys() & {row["image"] for row in read(out / "scores.csv")}
    by_hand_gives_the_same(facts["commands"], out)


def by_hand_gives_the_same(commands, out):
    for command in commands:
        words = shlex.split(command)
        assert words[0] == "piaa"
        again = run(*words[1:], "--json")
        assert again.exit_code == 0, again.output
    by_hand = {row["image"]: row["score"] for row in json.loads(again.stdout)["scores"]}
    in_demo = {row["image"]: float(row["score"]) for row in read(out / "scores.csv")}
    shared = by_hand.keys() & in_demo.keys()
    assert len(shared) >= 8
    assert {name: by_hand[name] for name in shared} == {name: in_demo[name] for name in shared}


@pytest.mark.parametrize("name", ["ratings.csv", "README.txt"])
def test_a_folder_of_somebody_is_left_as_it_is(tmp_path, name):
    (tmp_path / name).write_bytes(b"h\xe9rs")
    result = run("demo", "--out", tmp_path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines()[-1] == (
        f"piaa: the demo cannot be written to {tmp_path}: it holds files that no demo made, expected a new "
        "or empty folder; name one with --out"
    )
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == b"h\xe9rs"


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("in the way")
    result = run("demo", "--out", tmp_path / "file")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        f"piaa: the painted album cannot be written to {tmp_path / 'file' / 'photos'}: Not a directory, "
        "expected a folder that can be written; give another folder"
    )
