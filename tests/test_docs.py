"""What the documents name is there, and what they measured stands once."""

from __future__ import annotations

import pkgutil
import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FOLDERS = ("benchmarks", "deploy", "docs", "generic", "piaa", "protocols", "tests")
PATH = re.compile(rf"(?<![\w./-])(?:{'|'.join(FOLDERS)})/(?:[\w*-]+[./])*[\w*-]*")
NAME = re.compile(r"(?<![\w./-])(?:generic|piaa|protocols)(?:\.\w+)+(?![\w/-])")
MODULE = re.compile(r"`(\w+\.py)`")
EXAMPLES = {"piaa.db", "piaa.service", "tests/a/b/test_c.py"}
EXAMPLES |= {"tests/a/b/test_c_aspect.py", "test_c_aspect.py"}


def rows(text: str) -> list[tuple[str, ...]]:
    """The cells of every row of a table, three or more, but not its header."""
    found, above = [], ""
    for line in text.splitlines():
        cells = tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1])
        if above.startswith("|") and len(cells) >= 3 and set(line) - set("|-: "):
            found.append(cells)
        above = line
    return found


def missing(text: str) -> list[str]:
    """Paths, modules and names in the text that lead nowhere."""
    lost = [path for path in PATH.findall(text) if not any(ROOT.glob(path.rstrip("./")))]
    lost += [name for name in MODULE.findall(text) if name != "cli.py" and not any(ROOT.glob(f"*/**/{name}"))]
    for name in set(NAME.findall(text)):
        try:
            pkgutil.resolve_name(name)
        except (ImportError, AttributeError):
            lost.append(name)
    return [name for name in lost if name not in EXAMPLES]


def test_every_row_stands_once():
    where = defaultdict(list)
    for document in DOCUMENTS:
        for cells in rows(document.read_text(encoding="utf-8")):
            where[cells].append(document.name)
    assert {cells: names for cells, names in where.items() if len(names) > 1} == {}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_is_named_is_there(document):
    assert missing(document.read_text(encoding="utf-8")) == []


def test_what_is_not_there_would_be_found():
    text = "see `generic/eat/sight.py`, `sight.py`, docs/none.md, generic.eat.sight and `piaa.load_models()`"
    assert len(missing(text)) == 5
    text = (
        "see `generic/eat/eat.py`, `eat.py`, tests/bad_input, generic.eat.eat.EAT and https://x.org/docs/none"
    )
    assert missing(text) == []


def test_a_row_is_found_below_its_header_only():
    table = "| a | b | c |\n|---|:-:|--:|\n"
    assert rows(f"{table}| 1 | x \\| y | 3 |\n\n{table}") == [("1", "x \\| y", "3")]
