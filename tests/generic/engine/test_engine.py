"""How many cores a process may use, in a container too."""

from __future__ import annotations

import pytest

from generic.engine import engine
from generic.engine.engine import usable_cores


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("max 100000\n", 8),
        ("400000 100000\n", 4),
        ("250000 100000\n", 2),
        ("50000 100000\n", 1),
        ("1600000 100000\n", 8),
        ("", 8),
    ],
)
def test_a_containers_limit_counts(tmp_path, monkeypatch, content, expected):
    monkeypatch.setattr(engine, "QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(engine.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert usable_cores() == 8
    (tmp_path / "cpu.max").write_text(content)
    assert usable_cores() == expected
