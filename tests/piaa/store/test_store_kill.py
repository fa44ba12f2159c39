"""kill -9 of all that changes a store: what was acknowledged is there, the rest is whole or not at all."""

from __future__ import annotations

import pytest

FEW = 5
MANY = pytest.param(20, marks=pytest.mark.slow)


@pytest.mark.parametrize("n", [FEW, MANY])
@pytest.mark.parametrize("operation", ["say", "keep", "restore", "undo", "withdraw"])
@pytest.mark.parametrize("kind", ["file", "served", "postgres"])
def test_killed_changes_are_whole_or_not_at_all(request, program, tmp_path, kind, operation, n):
    place = request.getfixturevalue("postgres") if kind == "postgres" else str(tmp_path / "piaa.db")
    process = program("import victims; victims.main()", place, kind, operation, n, tmp_path)
    out, errors = process.communicate(timeout=300)
    assert (process.returncode, errors) == (0, "")
    assert int(out) > n // 4  # fewer where the measured runs were slowed down by something else
