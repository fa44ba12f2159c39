"""The code of docs/evaluate.md runs as it stands on generated data, and prints what the page shows.

Its language is ``py``, so that ``test_readme.py`` does not run it on an album that one person rated.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import ImageEnhance

from piaa.demo.scenes import draw_scenes, render

GUIDE = Path(__file__).resolve().parents[1] / "docs" / "evaluate.md"
N_SCENES, N_EACH = 6, 4
N_PEOPLE = 8


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.M | re.S)
    return found


def shape(table: str) -> list[list[str]]:
    """The words of each line, numbers masked: the last digit of a mean may differ between machines."""
    return [re.sub(r"-?\d\.\d{3}", "#", line).split() for line in table.splitlines() if line.strip()]


@pytest.fixture
def my_data(user_folders, monkeypatch) -> Path:
    """``my-data``: each scene in four exposures, and people who like some scenes and not others."""
    root = user_folders / "my-data"
    (root / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    likes = rng.uniform(1, 5, (N_PEOPLE, N_SCENES))
    rows = ["user,image,score"]
    for number, scene in enumerate(draw_scenes(N_SCENES, 1)):
        photo = render(scene, (96, 72))
        for exposure in range(N_EACH):
            name = f"scene-{number}-{exposure}.jpg"
            ImageEnhance.Brightness(photo).enhance(0.7 + 0.2 * exposure).save(root / "images" / name)
            marks = np.clip(np.rint(likes[:, number] + rng.normal(0, 0.5, N_PEOPLE)), 1, 5)
            rows += [f"person {person},{name},{mark:.0f}" for person, mark in enumerate(marks)]
    (root / "ratings.csv").write_text("\n".join(rows) + "\n")
    monkeypatch.chdir(user_folders)
    return root


def test_the_code_runs_and_prints_the_table(my_data, capsys):
    names: dict = {"__name__": "__guide__"}
    exec(compile(block("py"), str(GUIDE), "exec"), names)
    printed = capsys.readouterr().out
    assert shape(printed) == shape(block("text"))
    # What the page's table says: the more ratings, the more the adapter knows that the crowd does not.
    (generic, neighbours) = (
        np.array([float(n) for n in re.findall(r"(-?\d\.\d{3})±", line)])
        for line in printed.splitlines()
        if "measured here   " in line
    )
    assert neighbours[0] > generic[0]
    assert neighbours[1] > max(generic[1], neighbours[0]) + 0.2
    # And it is an adapter in all parts: what was stored predicts the same.
    adapter, rng = names["Neighbours"]().fit(*case(5)), np.random.default_rng(1)
    again = names["Neighbours"]().restore(adapter.state())
    photos = rng.random((4, 7))
    assert np.array_equal(again.predict(photos).score, adapter.predict(photos).score)


def case(k: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(k)
    return rng.random((k, 7)), rng.random(k)


def test_it_is_thirty_lines():
    lines = [line for line in block("py").splitlines() if line.strip()]
    code = [line for line in lines if not line.startswith(("from ", "import "))]
    assert len(code) <= 30
