"""What the tests of several commands start from: people who rated, models that were converted."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from generic.model.checkpoint import read_header
from generic.photos.open import load_pixels

SCORES = (5, 1, 4, 2, 3, 5, 2, 1, 4, 3)


@pytest.fixture
def score(piaa, fit, album, tiny_model):
    """Scores the album, or another folder, for a person who was fitted on ten of its photos."""
    assert fit().exit_code == 0

    def run(*args, photos: Path = album):
        return piaa("score", photos, "--user", "ana", "--model", tiny_model, *args)

    return run


@pytest.fixture
def damaged_album(tmp_path, album) -> Path:
    """The album with two more files that are not photos."""
    folder = tmp_path / "damaged"
    shutil.copytree(album, folder)
    (folder / "summer" / "broken (1).jpg").write_bytes((album / "photo-01.jpg").read_bytes()[:900])
    (folder / "notes.jpg").write_text("not a photo")
    return folder


@pytest.fixture
def rate(piaa, album, tiny_model, warm, tmp_path):
    """``rate(user, {image: score}, ...)`` fits a user on a table of these ratings."""

    def run(user, scores, *args, folder=album):
        table = tmp_path / "table.csv"
        table.write_text("\n".join(["image,score", *(f"{name},{score}" for name, score in scores.items())]))
        options = ("--ratings", table, "--images", folder, "--model", tiny_model)
        return piaa("fit-user", "--user", user, *options, *args)

    return run


@pytest.fixture
def compare(piaa, album, tiny_model, warm, tmp_path):
    """``compare(user, [(better, worse), ...], ...)`` fits a user on comparisons."""

    def run(user, pairs, *args):
        table = tmp_path / "pairs.csv"
        table.write_text("\n".join(["better,worse", *map(",".join, pairs)]))
        options = ("--pairs", table, "--images", album, "--model", tiny_model)
        return piaa("fit-user", "--user", user, *options, *args)

    return run


@pytest.fixture
def scores_of(piaa, album, tiny_model):
    """What ``score`` says of the album, without the user's name."""

    def run(user):
        result = piaa("score", album, "--user", user, "--model", tiny_model, "--json")
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)["scores"]

    return run


@pytest.fixture
def shown(piaa):
    """``shown(user)``: all that ``piaa users show`` says of her."""

    def run(user):
        result = piaa("users", "show", user, "--json")
        assert (result.exit_code, result.stderr) == (0, "")
        return json.loads(result.stdout)

    return run


@pytest.fixture
def rated(shown):
    """``rated(user)``: names and scores of the ratings that count, in the order in which she gave them."""
    return lambda user: {row["image"]: row["score"] for row in shown(user)["ratings"]}


@pytest.fixture
def learned(tiny_model):
    """``learned(user, given)``: what a fit says first."""
    short = read_header(tiny_model).hash[:8]
    return lambda user, given, adapter="auto": (
        f"{user}: learned from {given} ({adapter} on piaa-tiny {short})\n"
    )


@pytest.fixture
def early():
    """``early(n)``: what a fit expects of n ratings."""
    return lambda n: (
        f"expected ranking: too early to tell from {n} rating{'s' * (n != 1)}; an estimate needs 20\n"
    )


@pytest.fixture
def on_a_terminal(user_folders):
    """``on_a_terminal(arguments, question, answer)``: exit code of piaa, and what a person saw.

    Types the answer as soon as the question is there.
    """
    pty = pytest.importorskip("pty")

    def run(arguments, question, answer):
        terminal, other = pty.openpty()
        command = [sys.executable, "-m", "cli", *map(str, arguments)]
        process = subprocess.Popen(command, stdin=other, stdout=other, stderr=other, start_new_session=True)
        os.close(other)
        seen, typed, until = b"", False, time.monotonic() + 60
        while time.monotonic() < until:
            if select.select([terminal], [], [], 0.1)[0]:
                try:
                    seen += os.read(terminal, 4096)
                except OSError:  # the other end is closed
                    break
            if not typed and question.encode() in seen:
                os.write(terminal, answer.encode())
                typed = True
        os.close(terminal)
        return process.wait(10), seen.decode().replace("\r\n", "\n")

    return run


@pytest.fixture
def shown_on_a_terminal(user_folders, tmp_path):
    """``shown_on_a_terminal(arguments, columns)``: what piaa writes to a terminal of so many columns."""
    pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")

    def run(arguments, columns):
        terminal, other = pty.openpty()
        termios.tcsetwinsize(other, (24, columns))
        environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES")}
        command = [sys.executable, "-m", "cli", *map(str, arguments)]
        with (tmp_path / "stderr").open("wb") as error:
            process = subprocess.Popen(command, stdin=other, stdout=other, stderr=error, env=environment)
        os.close(other)
        seen = b""
        while True:
            try:
                seen += os.read(terminal, 4096)
            except OSError:  # the other end is closed
                break
        os.close(terminal)
        assert process.wait(60) == 0, (tmp_path / "stderr").read_text()
        return seen.decode().replace("\r\n", "\n")

    return run


@pytest.fixture
def table(names):
    return dict(zip(names, SCORES, strict=False))


@pytest.fixture
def copies(album, names, tmp_path):
    """The album, its first photo once more, and its second under the name of the third."""
    folder = tmp_path / "copies"
    shutil.copytree(album, folder)
    shutil.copyfile(album / names[0], folder / "copy.jpg")
    (folder / "other" / names[2]).parent.mkdir(parents=True)
    shutil.copyfile(album / names[1], folder / "other" / names[2])
    return folder


@pytest.fixture(scope="module")
def recorded(golden_files):
    """Weights and configuration of one recorded network."""
    pytest.importorskip("torch")
    with safe_open(golden_files[0], "pt") as file:
        names = [name for name in file.keys() if name.startswith("state.")]  # noqa: SIM118
        state = {name.removeprefix("state."): file.get_tensor(name) for name in names}
        return state, json.loads(file.metadata()["config"])


@pytest.fixture
def weights(tmp_path, recorded):
    """The weights as their authors publish them."""
    torch = pytest.importorskip("torch")
    path = tmp_path / "eat_ava.pth"
    torch.save({"model": recorded[0], "epoch": 9}, path)
    return path


@pytest.fixture
def converted(piaa, weights, tmp_path):
    """The model file that the command made of the weights."""
    out = tmp_path / "eat-ava.safetensors"
    assert piaa("models", "convert", weights, "--out", out).exit_code == 0
    return out


@pytest.fixture(scope="module")
def released(recorded, album, names):
    """Unit score and embedding of each photo as the released network computes them, one photo at a time."""
    torch = pytest.importorskip("torch")
    from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

    from generic.eat import EAT

    state, config = recorded
    network = EAT.from_official(config, state, compat="official").eval()
    rows = []
    for name in names:
        pixels = load_pixels(album / name, config["img_size"]) / 255
        values = (pixels - np.array(IMAGENET_DEFAULT_MEAN)) / np.array(IMAGENET_DEFAULT_STD)
        x = torch.from_numpy(values).permute(2, 0, 1)[None].float()
        with torch.no_grad():
            expected = (network(x)[0].numpy() * np.arange(1, 11)).sum()
            embedding = network.forward_features(x).mean((2, 3))[0].numpy()
        rows.append([(expected - 1) / 9, *embedding])
    return np.array(rows)
