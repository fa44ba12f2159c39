"""A network small enough to be trained in a second, and photos with the ratings of three people."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

EAT = """
[network]
name = "eat_tiny_patch4_224"
size = 64
dims = [8, 16, 16, 16]
heads = [1, 2, 2, 2]
groups = [1, 1, 2, 2]
windows = 2
k_in = [8, 4, 2, 1]
stages = ["L", "S", "E", "E"]
drop_rate = 0.1
drop_path_rate = 0.1

[settings]
batch = 4
micro_batch = 2
ema = 0.5
workers = 0
rate = 1e-3
"""
"""EAT with everything that draws random numbers: dropout, dropped paths, rotated offsets."""


@pytest.fixture
def config(tmp_path) -> Path:
    """A configuration of a tiny EAT."""
    path = tmp_path / "tiny.toml"
    path.write_text(EAT)
    return path


@pytest.fixture
def table(tmp_path, names) -> Path:
    """Ratings of the album by three people, 1 to 5."""
    rng = np.random.default_rng(4)
    rows = [f"{user},{name},{rng.integers(1, 6)}" for user in ("ana", "ben", "cy") for name in names]
    path = tmp_path / "people.csv"
    path.write_text("\n".join(("user,image,score", *rows)) + "\n")
    return path


@pytest.fixture
def command(config, table, album) -> Callable[..., list[str]]:
    """``command("--epochs", 2, out=FOLDER)``: the words after ``piaa``."""

    def words(*args, out: Path) -> list[str]:
        given = ["pretrain", "--dataset", "table", "--ratings", table, "--images", album, "--config", config]
        given += ["--preset", "eat_tiny", "--loss", "emd+mse", "--validation-share", 0.25, "--out", out]
        return [str(word) for word in (*given, *args)]

    return words


@pytest.fixture
def train(piaa, command) -> Callable:
    """Runs ``command``; what it prints as JSON, with stderr as ``told``."""

    def run(*args, out: Path, ok: bool = True) -> SimpleNamespace:
        result = piaa(*command(*args, "--json", out=out))
        assert (result.exit_code == 0) is ok, result.output
        return SimpleNamespace(told=result.stderr, **json.loads(result.stdout))

    return run
