"""``piaa meta-train`` and what uses its starts, as a person does: a rendered album, a tiny model."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from generic.model.checkpoint import read_header
from piaa.meta.start import Start

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("learn2learn") is None, reason="learn2learn is not installed (extra meta)"
)
USERS = ("ana", "ben", "cy", "dee", "eve", "fay")


@pytest.fixture
def study(tmp_path, album, names, monkeypatch) -> Path:
    """Six people who rated the album's twelve photos; cy and dee are tested."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(album, tmp_path / "study" / "images")
    rng = np.random.default_rng(3)
    rows = [f"{user},{name},{rng.integers(1, 6)}" for user in USERS for name in names]
    (tmp_path / "study" / "ratings.csv").write_text("\n".join(("user,image,score", *rows)) + "\n")
    return tmp_path / "study"


@pytest.fixture
def learn(piaa, study, tiny_model, warm):
    def run(*args, algorithm="anil", out="start.safetensors"):
        return piaa(
            *("meta-train", "--dataset", "table", "--root", "study", "--algorithm", algorithm),
            *("--out", out, "--model", tiny_model, "--shots", "1..5", "--epochs", "2", *args),
        )

    return run


def test_learn_a_start_fit_a_person_score_photos(learn, piaa, fit, album, tiny_model, tmp_path):
    result = learn()
    assert (result.exit_code, result.stderr) == (0, "")
    model = read_header(tiny_model)
    lines = result.stdout.splitlines()
    assert lines[0].startswith(
        f"start.safetensors: anil on piaa-tiny {model.hash[:8]}, learned from 4 users, epoch "
    )
    assert lines[1] == "on 2 users and on photos held out from that:"
    assert [line.split()[0] for line in lines[2:]] == ["k=1", "k=3"]
    start = Start.load(tmp_path / "start.safetensors")
    assert start.model_hash == model.hash
    assert start.training["users"] == list(USERS)
    assert not list(tmp_path.glob("*.progress"))

    fitted = fit("gil", "--adapter", "anil", "--meta", tmp_path / "start.safetensors")
    assert (fitted.exit_code, fitted.stderr) == (0, "")
    assert "(anil on piaa-tiny" in fitted.stdout
    (tmp_path / "start.safetensors").unlink()  # scoring needs it no more
    scored = piaa("score", album, "--user", "gil", "--model", tiny_model, "--json")
    assert scored.exit_code == 0
    rows = json.loads(scored.stdout)
    assert len(rows["scores"]) == 12
    # Without the start she cannot be fitted again, which is said before anything is added.
    more = piaa(
        *("fit-user", "--add", "--user", "gil", "--ratings", tmp_path / "ratings.csv", "--images", album),
        *("--model", tiny_model),
    )
    assert more.exit_code == 1
    assert more.stderr == (
        "piaa: adapter 'anil' needs a start that `piaa meta-train --algorithm anil --out FILE` learned; pass "
        "it with --meta FILE, or as --adapter anil=FILE to `piaa evaluate`\n"
    )


def test_evaluate_with_starts_and_find_leaks(learn, piaa, study, tiny_model, tmp_path, monkeypatch):
    monkeypatch.setattr("protocols.report.files.figures", lambda _: ())
    (study / "teachers.csv").write_text(
        "".join(
            line
            for line in (study / "ratings.csv").read_text().splitlines(keepends=True)
            if not line.startswith(("cy,", "dee,"))
        )
    )
    assert learn("--ratings", "study/teachers.csv").exit_code == 0
    (study / "users.txt").write_text("cy\ndee\n")

    def evaluate(*args):
        return piaa(
            *("evaluate", "--dataset", "table", "--root", "study", "--users", "study/users.txt"),
            *("--model", tiny_model, "--shots", "3", "--repeats", "2", "--out", "run", *args),
        )

    # The photos are the same: a start that saw test photos rated is refused.
    result = evaluate("--adapter", "generic,anil=start.safetensors")
    assert result.exit_code == 1
    assert result.stderr.startswith(
        "piaa: the start of adapter 'anil' was learned from 12 of 12 test images, such as 'photo-01.jpg', "
    )
    rows = (study / "ratings.csv").read_text().splitlines()
    seen = [row for row in rows if "photo-1" not in row]
    (study / "seen.csv").write_text(
        "\n".join(row for row in seen if not row.startswith(("cy,", "dee,"))) + "\n"
    )
    assert learn("--ratings", "study/seen.csv", "--overwrite").exit_code == 0
    new = [rows[0]] + [row for row in rows if "photo-1" in row]
    (study / "ratings.csv").write_text("\n".join(new) + "\n")
    result = piaa(
        *("evaluate", "--dataset", "table", "--root", "study", "--users", "study/users.txt"),
        *("--model", tiny_model, "--shots", "1", "--repeats", "2", "--out", "run"),
        *("--adapter", "generic,anil=start.safetensors", "--json"),
    )
    assert result.exit_code == 0, result.stderr
    content = json.loads(result.stdout)
    assert content["config"]["adapter_hashes"] == {"anil": Start.load(tmp_path / "start.safetensors").hash}
    assert [row["method"] for row in content["rows"]] == ["generic", "anil"]
    twice = evaluate("--adapter", "anil=start.safetensors,anil=other.safetensors")
    assert twice.stderr == "piaa: --adapter has 'anil' twice; give each name once\n"


def test_as_json(learn, tmp_path):
    result = learn("--json", algorithm="meta-sgd")
    content = json.loads(result.stdout)
    assert (content["algorithm"], content["file"]) == ("meta-sgd", "start.safetensors")
    assert content["hash"] == read_header(tmp_path / "start.safetensors").hash
    assert content["n_users"] == {"trained": 4, "held_out": 2}
    assert (content["n_known_images"], content["unreadable_images"]) == (0, {})


def test_what_is_there_is_kept(learn, tmp_path):
    (tmp_path / "start.safetensors").write_text("precious")
    result = learn()
    assert (result.exit_code, result.stderr) == (
        1,
        "piaa: cannot write start.safetensors: it exists; name another or pass --overwrite\n",
    )
    assert (tmp_path / "start.safetensors").read_text() == "precious"
    assert learn("--overwrite").exit_code == 0


def test_shots_in_words(learn):
    result = learn("--shots", "few")
    assert result.exit_code == 2
    assert "--shots takes LOW..HIGH such as 1..100, not 'few'" in " ".join(result.stderr.split())


@pytest.mark.slow
def test_killed_it_goes_on_to_the_same_bits(learn, study, tiny_model, tmp_path):
    assert learn("--epochs", "40", out="whole.safetensors").exit_code == 0
    command = [sys.executable, "-m", "cli", "meta-train", "--dataset", "table", "--root", "study"]
    command += ["--algorithm", "anil", "--out", "killed.safetensors", "--model", str(tiny_model)]
    command += ["--shots", "1..5", "--epochs", "40"]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=tmp_path)
    kept, deadline = tmp_path / "killed.safetensors.progress", time.monotonic() + 100
    while not kept.exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    assert kept.exists()
    assert not (tmp_path / "killed.safetensors").exists()
    assert learn("--epochs", "40", out="killed.safetensors").exit_code == 0
    assert (
        read_header(tmp_path / "killed.safetensors").hash == read_header(tmp_path / "whole.safetensors").hash
    )
