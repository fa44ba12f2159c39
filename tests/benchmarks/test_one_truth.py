"""benchmarks/one_truth.py: the terminal, HTTP and Python agree after every step; and it would notice."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from piaa.demo.scenes import render_album

ROOT = Path(__file__).resolve().parents[2]
STEPS = [
    ("terminal: fit-user, 5 ratings", "5"),
    ("HTTP: 3 ratings", "8"),
    ("HTTP: fit", "8"),
    ("terminal: one withdrawn", "7"),
    ("Python: one added", "8"),
    ("Python: fit", "8"),
]


def run(*options: object) -> list[list[str]]:
    """Cells of the rows of the table that the script prints."""
    command = [sys.executable, str(ROOT / "benchmarks" / "one_truth.py"), *map(str, options)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    return [line.strip("| ").split(" | ") for line in done.stdout.splitlines()[2:]]


def check(rows: list[list[str]]) -> None:
    assert [(what, n) for what, n, *_ in rows] == STEPS
    assert {same for _, _, same, *_ in rows} == {"yes"}
    numbers = [number for _, _, _, *both in rows for number in both]
    assert all(re.fullmatch(r"\d\.\de[+-]\d\d", number) and float(number) <= 1e-9 for number in numbers)


def test_the_three_agree(user_folders, tmp_path):
    pytest.importorskip("pyarrow")
    pytest.importorskip("uvicorn")
    (tmp_path / "album").mkdir()
    render_album(tmp_path / "album", 12, 7)
    check(run("--photos", tmp_path / "album"))


@pytest.mark.slow
def test_the_three_agree_on_real_photos(user_folders, shared_data):
    check(run())


def test_a_difference_would_be_noticed(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
    apart = importlib.import_module("one_truth").apart
    told = {"terminal": {"a": 1.0, "b": 2.0}, "HTTP": {"a": 1.0, "b": 2.25}, "Python": {"a": 1.0}}
    assert apart(told, "HTTP") == 0.25
    assert apart(told, "Python") == float("inf")
