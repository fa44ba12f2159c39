"""`piaa demo` as a newcomer runs it, and on a person's own photos with the answers typed in."""

from __future__ import annotations

import csv
import json
import shlex

import pytest
from PIL import Image
from typer.testing import CliRunner

from cli import app
from generic.metrics import spearman
from piaa.demo.person import PERSONS
from piaa.demo.scenes import draw_scenes, render_album


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("PIAA_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))


def run(*arguments, answers=""):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=answers)


def test_the_demo_from_nothing(tmp_path):
    out = tmp_path / "demo"
    result = run("demo", "--out", out, "--json")
    assert result.exit_code == 0, result.output
    facts = json.loads(result.stdout)
    assert facts["story"].startswith("This album is rendered by code and Chiyo is simulated: not photographs")
    assert (facts["n_rated"], facts["n_ranked"]) == (10, 50)
    assert sorted(path.name for path in out.iterdir()) == [
        "contact-sheet.png",
        "photos",
        "piaa.db",
        "ratings.csv",
        "scores.csv",
    ]
    with Image.open(out / "contact-sheet.png") as sheet:
        assert min(sheet.size) > 1000

    # The printed figures are those of the files and of the stated taste, worked out anew.
    with (out / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    truth = PERSONS["Chiyo"].rate_album(
        [(f"scene-{i + 1:03}.jpg", scene) for i, scene in enumerate(draw_scenes(60, 0))], 0
    )
    given = [truth[row["image"]] for row in rows]
    assert spearman([float(row["score"]) for row in rows], given) == pytest.approx(
        facts["srcc_after"], abs=1e-3
    )
    assert spearman([float(row["generic"]) for row in rows], given) == pytest.approx(
        facts["srcc_before"], abs=1e-3
    )

    # "By hand" gives the same scores.
    for command in facts["commands"]:
        words = shlex.split(command)
        assert words[0] == "piaa"
        again = run(*words[1:], "--json")
        assert again.exit_code == 0, again.output
    by_hand = {row["image"]: row["score"] for row in json.loads(again.stdout)["scores"]}
    in_demo = {row["image"]: float(row["score"]) for row in rows}
    shared = by_hand.keys() & in_demo.keys()
    assert len(shared) >= 10
    assert {name: by_hand[name] for name in shared} == {name: in_demo[name] for name in shared}


def test_own_photos_ask_for_ratings(tmp_path):
    photos, out = tmp_path / "photos", tmp_path / "photos" / "piaa-demo"
    photos.mkdir()
    render_album(photos, 14, 3)
    (photos / "broken.jpg").write_bytes(b"")
    answers = ["9", "5", "", "4", "3", "2", "1", "5", "4", "3", "2"]
    result = run("demo", "--photos", photos, "--out", out, answers="\n".join(answers) + "\n")
    assert result.exit_code == 0, result.output
    assert "please type 1 (dislike) to 5 (love), or nothing" in result.stderr
    assert "left out 1 photos that cannot be read: broken.jpg" in result.stdout
    with (out / "ratings.csv").open() as file:
        rated = list(csv.DictReader(file))
    assert [row["score"] for row in rated] == ["5", "4", "3", "2", "1", "5", "4", "3", "2"]
    with (out / "scores.csv").open() as file:
        ranked = [row["image"] for row in csv.DictReader(file)]
    assert len(ranked) == 5
    assert not {row["image"] for row in rated} & set(ranked)


def test_no_answer_is_one_line(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    render_album(photos, 3, 3)
    result = run("demo", "--photos", photos, "--out", tmp_path / "out", answers="\n\n\n")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        "piaa: no photo was rated, so there is nothing to learn; run the demo again and rate some"
    )


def test_unknown_person(tmp_path):
    result = run("demo", "--person", "Zoe", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert result.stderr == "piaa: there is no simulated person 'Zoe'; choose one of Ana, Ben, Chiyo\n"
    assert not (tmp_path / "out").exists()
