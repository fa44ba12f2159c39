"""kill -9 of a training, once and twenty times: it goes on to the very weights of the undisturbed run."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import pytest
from safetensors.numpy import load_file

FORKS = """
    import json, os, random, signal, sys, time

    words, n = json.loads(sys.argv[1]), int(sys.argv[2])
    import accelerate, tensorboard, torch  # before the forks, which share what is loaded
    import torch.utils.tensorboard
    from cli import app
    from generic.pretrain import job
    from protocols.commands import pretrain

    def start(out):
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            try:
                app([*words, "--out", out], standalone_mode=False)
            except BaseException as error:
                print(repr(error), file=sys.stderr)
                os._exit(1)
            os._exit(0)
        return child

    began = time.monotonic()
    assert os.waitpid(start("whole"), 0)[1] == 0
    whole = time.monotonic() - began
    draw, killed, progressed = random.Random("kill pretrain"), 0, set()
    for part in range(n):
        child = start("killed")
        # Longer at first, so that a state is there; then anywhere in a step, and so soon that the training
        # is not done before the last kill: the others take a fifth of a run together.
        time.sleep(draw.uniform(0.3, 0.5) * whole if part == 0 else draw.uniform(0.0, 0.02) * whole)
        os.kill(child, signal.SIGKILL)
        killed += os.WIFSIGNALED(os.waitpid(child, 0)[1])
        progressed.add(os.path.exists("killed/state.safetensors"))
    assert os.waitpid(start("killed"), 0)[1] == 0
    print(json.dumps({"killed": killed, "state": True in progressed}))
"""


@pytest.mark.parametrize("n", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_training_goes_on_to_the_same_weights(command, user_folders, n):
    words = command("--save-every", 1, "--epochs", 10 if n == 1 else 60, out=user_folders / "unused")
    script = [sys.executable, "-c", textwrap.dedent(FORKS), json.dumps(words), str(n)]
    done = subprocess.run(script, cwd=user_folders, capture_output=True, text=True, timeout=590)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["state"]
    assert seen["killed"] == n
    whole, killed = user_folders / "whole", user_folders / "killed"
    for name in ("state.safetensors", "best.safetensors"):
        expected, got = load_file(whole / name), load_file(killed / name)
        assert set(got) == set(expected)
        assert [key for key in expected if got[key].tobytes() != expected[key].tobytes()] == []
    assert (killed / "history.csv").read_text() == (whole / "history.csv").read_text()
    assert sorted(path.name for path in killed.glob(".piaa-*")) == []


def test_each_random_part_changes_the_weights(train, tmp_path):
    """Or the test above would not see whether it goes on as it should."""
    one = train("--epochs", 1, out=tmp_path / "one")
    other = train("--epochs", 1, "--seed", 1, out=tmp_path / "other")
    unmirrored = train("--epochs", 1, "--no-flip", out=tmp_path / "unmirrored")
    assert len({one.hash, other.hash, unmirrored.hash}) == 3
