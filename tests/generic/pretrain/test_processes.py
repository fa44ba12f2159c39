"""Several processes, as launchers start them, train the very network that one process trains."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

EVERY_RANDOM_NUMBER_OFF = """
[network]
name = "eat_tiny_patch4_224"
size = 64
dims = [8, 16, 16, 16]
heads = [1, 2, 2, 2]
groups = [1, 1, 2, 2]
windows = 2
k_in = [8, 4, 2, 1]
stages = ["L", "S", "E", "E"]
rotate = "none"
drop_path_rate = 0.0

[settings]
batch = 4
ema = 0.5
workers = 0
rate = 1e-3
"""
"""Dropped paths and rotated offsets are drawn by each process for itself; the photos are not."""

LAUNCH = ("accelerate", "launch", "--multi_gpu", "--num_processes", "2", "--no_python")
"""As docs/pretrain.md has it: torchrun, which it calls, without a GPU. (``--cpu`` starts one process and
leaves the others to MPI.)"""


@pytest.fixture
def config(tmp_path) -> Path:
    path = tmp_path / "still.toml"
    path.write_text(EVERY_RANDOM_NUMBER_OFF)
    return path


def launch(*command, program="piaa"):
    """Runs ``piaa`` as two processes, with the programs of this environment."""
    here = Path(sys.executable).parent
    line = [here / LAUNCH[0], *LAUNCH[1:], here / program, *command]
    return subprocess.run([str(word) for word in line], capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_two_processes_equal_one_on_the_same_batches(train, command, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    # Two passes a step: of two photos on one process, of one photo on each of two.
    train("--epochs", 2, "--micro-batch", 2, out=one)
    done = launch(*command("--epochs", 2, "--micro-batch", 1, "--json", out=two))
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["history"]) == 2  # the other process prints nothing
    assert done.stderr.splitlines().count("trains on CPU, 2 processes") == 1
    assert json.loads((two / "environment.json").read_text())["processes"] == 2
    for name in ("state.safetensors", "best.safetensors"):
        expected, got = load_file(one / name), load_file(two / name)
        assert set(got) == set(expected)
        for key, tensor in expected.items():
            np.testing.assert_allclose(got[key], tensor, rtol=1e-4, atol=2e-6, err_msg=key)


ASKED = """
    import os, sys
    from generic.errors import TrainingError
    from generic.pretrain.processes import by_the_first

    def work():
        with open("asked", "a") as file:
            file.write(os.environ["RANK"] + "\\n")
        if sys.argv[1] == "fails":
            raise TrainingError("no such thing")
        return {"of": os.environ["RANK"]}

    try:
        found = by_the_first(work)
    except TrainingError as error:
        found = f"told: {error}"
    with open("found-" + os.environ["RANK"], "w") as file:
        file.write(str(found))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("how", "found"), [("works", "{'of': '0'}"), ("fails", "told: no such thing")])
def test_what_the_first_process_makes_all_have(user_folders, monkeypatch, how, found):
    monkeypatch.chdir(user_folders)
    Path("ask.py").write_text(textwrap.dedent(ASKED))
    done = launch("ask.py", how, program="python")
    assert done.returncode == 0, done.stderr
    assert Path("asked").read_text() == "0\n"
    assert [Path(f"found-{rank}").read_text() for rank in (0, 1)] == [found, found]


@pytest.mark.slow
def test_two_processes_teach_what_one_teaches(train, piaa, album, tmp_path):
    train("--epochs", 1, out=tmp_path / "teacher")
    words = [
        "distill",
        "--teacher",
        tmp_path / "teacher" / "best.safetensors",
        "--images",
        album,
        "--no-cache",
    ]
    # No statistics of batches, which each process has of its own photos.
    words += ["--preset", "test_vit", "--size", 32, "--epochs", 2, "--batch", 4, "--workers", 0]
    one, two = tmp_path / "one", tmp_path / "two"
    alone = piaa(*words, "--out", one)
    assert alone.exit_code == 0, alone.output
    done = launch(*words, "--out", two)
    assert done.returncode == 0, done.stderr
    expected, got = (load_file(folder / "best.safetensors") for folder in (one, two))
    for key, tensor in expected.items():
        np.testing.assert_allclose(got[key], tensor, rtol=1e-4, atol=2e-6, err_msg=key)
