"""The scripts behind the figures can still be run: what they import of the project is there."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
OURS = ("generic", "piaa", "protocols", "cli")

pytest.importorskip("torch")


def imported(script: Path) -> Iterator[tuple[str, str]]:
    """Module and name of each import of the project's own; those in a function may be of a release before."""
    for node in ast.parse(script.read_text()).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in OURS:
            yield from ((str(node.module), alias.name) for alias in node.names)


@pytest.mark.parametrize("script", sorted(BENCHMARKS.glob("*.py")), ids=lambda path: path.stem)
def test_what_a_script_imports_is_there(script):
    missing = []
    for module, name in imported(script):
        if not hasattr(importlib.import_module(module), name):
            try:
                importlib.import_module(f"{module}.{name}")
            except ImportError:
                missing.append(f"{module}.{name}")
    assert missing == []
