"""What a suite asks, counted from its source, so that two checkouts can be compared.

Run as ``python benchmarks/count_tests.py OTHER_CHECKOUT .``. A test that runs faster because it
asks less shows as a smaller number. How often a test runs, for its parameters, is counted by
``pytest --collect-only -m "slow or not slow"``.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from pathlib import Path

CHECKS = ("raises", "warns", "fail", "check", "as_documented", "refused")
"""Calls that fail a test, by the last part of their name; so does every ``assert_...``."""


def count(root: Path) -> Counter[str]:
    """Tests, slow marks, assertions and hypothesis' examples below ``root/tests``."""
    found: Counter[str] = Counter()
    for path in sorted((root / "tests").rglob("*.py")):
        found["files"] += 1
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                found["test functions"] += node.name.startswith("test_")
            elif isinstance(node, ast.Assert):
                found["assert statements"] += 1
            elif isinstance(node, ast.Attribute):
                found["slow marks"] += node.attr == "slow"
            elif isinstance(node, ast.Call):
                name = ast.unparse(node.func).split(".")[-1]
                found["checking calls"] += name in CHECKS or name.startswith("assert_")
                found["hypothesis tests"] += name == "given"
            elif isinstance(node, ast.keyword) and node.arg == "max_examples":
                found["hypothesis examples asked for"] += ast.literal_eval(node.value)
    return found


if __name__ == "__main__":
    counts = [count(Path(root)) for root in sys.argv[1:]]
    for name in counts[0]:
        print(f"{name:32}", *(f"{one[name]:>8,}" for one in counts))
