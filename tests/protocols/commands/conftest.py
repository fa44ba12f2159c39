"""A person's own study, and ``piaa evaluate`` on it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

USERS = ("ana", "ben", "cy", "dee", "eve", "fay")


@pytest.fixture
def mine(tmp_path, album, names) -> Path:
    """A person's own study: six people rated the twelve photos of the album on 1..5."""
    root = tmp_path / "mine"
    shutil.copytree(album, root / "images")
    rng = np.random.default_rng(3)
    rows = [f"{user},{name},{rng.integers(1, 6)}" for user in USERS for name in names]
    (root / "ratings.csv").write_text("\n".join(("user,image,score", *rows)) + "\n")
    return root


@pytest.fixture
def evaluate(piaa, mine, tiny_model, warm, tmp_path, monkeypatch):
    """Runs ``piaa evaluate`` on the study, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def go(*args, root: Path | str = "mine"):
        short = ("--shots", "3,6", "--repeats", "3")
        return piaa("evaluate", "--dataset", "table", "--root", root, "--model", tiny_model, *short, *args)

    return go


@pytest.fixture
def no_plots(monkeypatch):
    """Without the plots, which take most of the time and are tested elsewhere."""
    monkeypatch.setattr("protocols.report.files.figures", lambda _: ())
