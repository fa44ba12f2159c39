"""``piaa pretrain`` on single people's ratings ends with a prior in the model file."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from generic.model.checkpoint import read_header
from generic.model.known_users import user_digest

pytestmark = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("torch", "timm", "accelerate")),
    reason="training is not installed (extra train)",
)
PHOTOS = [f"{number:02}.png" for number in range(60)]
USERS = [f"u{number:02}" for number in range(25)]


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Twenty-five people who rated 48 photos, two of whom are tested on twelve others."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study" / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in PHOTOS:
        pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((32, 32)).save(tmp_path / "study" / "images" / name)
    rows = ["user,image,score"]
    for user in USERS:
        rated = PHOTOS[48:] if user in USERS[:2] else PHOTOS[:48]
        rows += [f"{user},{name},{rng.integers(1, 6)}" for name in rated]
    (tmp_path / "study" / "ratings.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "study" / "users.txt").write_text("u00\nu01\n")


@pytest.mark.usefixtures("study")
def test_training_users_are_in_it_and_bayes_runs(piaa):
    def train(share):
        return piaa(
            *(
                "pretrain",
                "--dataset",
                "table",
                "--root",
                "study",
                "--users",
                "study/users.txt",
                "--scale",
                "1",
            ),
            *(
                "5",
                "--preset",
                "resnet10t",
                "--size",
                "32",
                "--epochs",
                "1",
                "--batch",
                "8",
                "--workers",
                "0",
            ),
            *("--validation-share", share, "--out", f"run-{share}"),
        )

    trained = train("0.5")
    assert trained.exit_code == 0
    header = read_header(Path("run-0.5/best.safetensors"))
    taught = sorted(user_digest("table", user) for user in USERS[2:])
    assert header.training["prior_from"]["users_sha256"] == taught
    assert (
        f"run-0.5/best.safetensors: now {header.hash[:8]}, with the prior of 23 people on 48 photos, 24 new "
        "to the model"
    ) in trained.stderr
    assert f"run-0.5/best.safetensors: run-0.5 {header.hash[:8]}" in trained.stdout
    evaluated = piaa(
        *("evaluate", "--dataset", "table", "--root", "study", "--users", "study/users.txt", "--scale", "1"),
        *("5", "--model", "run-0.5/best.safetensors", "--shots", "3", "--repeats", "1", "--out", "run"),
        *("--adapter", "generic,auto,bayes,pairs"),
    )
    assert evaluated.exit_code == 0

    few = train("0.1")
    assert few.exit_code == 0
    assert (
        "no prior, so adapters that need one are refused: 5 photos that 5 or more people rated are new to "
        "the model, and 20 are needed to tell how far its scores err; give ratings of photos that it was not "
        "trained on"
    ) in few.stderr
