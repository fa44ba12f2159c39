"""`piaa demo` as a newcomer runs it, and on a person's own photos with the answers typed in."""

from __future__ import annotations

import csv
import html
import json
import re
import shlex
import subprocess
import sys

import pytest
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
        "photos",
        "piaa.db",
        "ratings.csv",
        "scores.csv",
        "wall",
    ]
    page = (out / "wall" / "index.html").read_text()
    assert page.count("<figure") == len(list((out / "wall" / "thumbnails").iterdir())) == 60
    assert page.count('data-own="') == 10
    assert f"<p>{html.escape(' '.join(facts['story'].split()))}</p>" in page

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
    assert "left out 1 photo that cannot be read: broken.jpg" in result.stdout
    with (out / "ratings.csv").open() as file:
        rated = list(csv.DictReader(file))
    assert [row["score"] for row in rated] == ["5", "4", "3", "2", "1", "5", "4", "3", "2"]
    with (out / "scores.csv").open() as file:
        ranked = [row["image"] for row in csv.DictReader(file)]
    assert len(ranked) == 5
    assert not {row["image"] for row in rated} & set(ranked)
    asked = re.findall(r"(\d+)\. (\S+)  \[1-5", result.stdout)
    page = (out / "rate-these" / "index.html").read_text()
    shown = re.findall(r'class="place">(\d+)</span> <bdi class="name">([^<]+)<', page)
    assert shown == list(dict.fromkeys(asked))


def test_answers_are_kept_when_the_demo_is_killed(tmp_path, user_folders):
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    render_album(photos, 14, 3)
    command = ("demo", "--photos", photos, "--out", out)
    asked = answer_and_kill([sys.executable, "-m", "cli", *map(str, command)], ["5", "1", "4"])
    assert len(asked) == 4
    kept = json.loads(run("users", "show", "me", "--store", out / "piaa.db", "--json").stdout)
    assert [(row["image"], row["score"]) for row in kept["ratings"]] == list(
        zip(asked, (5, 1, 4), strict=False)
    )
    assert kept["versions"] == []

    result = run(*command, answers="3\n" * 7)
    assert result.exit_code == 0, result.output
    prompts = re.findall(r"(\d+)\. (\S+)  \[1-5, empty to leave out\]", result.stdout)
    assert [number for number, _ in prompts] == ["4", "5", "6", "7", "8", "9", "10"]
    assert prompts[0][1] == asked[3]
    assert "me rated 10 photos; ranked the other 4:" in result.stdout
    with (out / "ratings.csv").open() as file:
        rated = {row["image"]: row["score"] for row in csv.DictReader(file)}
    assert rated == {**dict(zip(asked, "514", strict=False)), **{name: "3" for _, name in prompts}}
    # A third run has nothing left to ask.
    again = run(*command)
    assert again.exit_code == 0, again.output
    assert "[1-5" not in again.stdout


def answer_and_kill(command, answers):
    """Types each answer when it is asked for and kills the program at the next question; names asked."""
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    seen = b""
    for answer in [*answers, None]:
        while not seen.endswith(b"empty to leave out]: "):
            piece = process.stdout.read(1)
            assert piece, seen.decode()
            seen += piece
        if answer is None:
            process.kill()
        else:
            seen += b"\n"
            process.stdin.write(f"{answer}\n".encode())
            process.stdin.flush()
    process.communicate()
    return re.findall(r"\d+\. (\S+)  \[1-5", seen.decode())


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
