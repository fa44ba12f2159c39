"""CONTRIBUTING.md: its map is that of the tree, and what it names exists."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
LAYERS = ("generic", "piaa", "protocols")
NAMED = re.compile(r"(?<![\w./])((?:generic|piaa|protocols|tests|docs|deploy|benchmarks|\.ci)/[\w./-]*\w/?)")
"""A path from the root, in a sentence, a table or a command."""


def mapped() -> dict[str, str]:
    """Path, without a slash at the end, to what the map says of it."""
    lines = re.search(r"```text\n(.*?)```", PAGE, re.DOTALL)[1].splitlines()
    found, above = {}, []
    for line in lines:
        indent, name, what = re.fullmatch(r"( *)(\S+) +(\S.*)", line).groups()
        above = [*above[: len(indent) // 2], name.rstrip("/")]
        found["/".join(above)] = what
    return found


def folders(layer: str) -> set[str]:
    """Every folder that holds a file, without what Python leaves behind."""
    files = [path for path in (ROOT / layer).rglob("*") if path.is_file()]
    homes = {path.parent for path in files if path.parent.name != "__pycache__"}
    return {home.relative_to(ROOT).as_posix() for home in homes}


@pytest.mark.parametrize("layer", LAYERS)
def test_the_map_has_each_folder_once(layer):
    assert {path for path in mapped() if path.split("/")[0] == layer} == folders(layer)


def test_the_map_names_nothing_else_that_is_not_there():
    assert [path for path in mapped() if not (ROOT / path).exists()] == []
    lines = re.search(r"```text\n(.*?)```", PAGE, re.DOTALL)[1].splitlines()
    assert len(mapped()) == len(lines)


def test_every_path_exists():
    page = PAGE.replace("tests/a/b/test_c.py", "").replace("a/b/c.py", "")  # of no file in particular
    named = set(NAMED.findall(page))
    assert {"piaa/adapters/ridge.py", "docs/evaluate.md", ".ci/postgres", "tests/piaa/store"} <= named
    assert sorted(path for path in named if not (ROOT / path).exists()) == []


def test_the_questions_are_answered_by_files():
    table = PAGE.partition("## Where is ...?")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 15
    for row in rows:
        answers = re.findall(r"`([^`]*\.py)`", row.split("|")[2])
        assert answers, row
        assert all((ROOT / answer).is_file() for answer in answers), row


def test_a_pytest_of_another_environment_stops_with_one_line(tmp_path):
    environment = {**os.environ, "UV_RUN_RECURSION_DEPTH": "1", "VIRTUAL_ENV": str(tmp_path)}
    command = [sys.executable, "-m", "pytest", "tests/generic/test_seeds.py"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"this pytest belongs to {sys.prefix}, which is not the project's environment; "
        "run: uv run --group dev pytest\n"
    )
