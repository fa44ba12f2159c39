"""``benchmarks/ai_pictures.py`` on generated ratings of rendered photos, with the model in the package."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def study(tmp_path, album, names) -> Path:
    """Six people rated the twelve photos of the album."""
    root, rng = tmp_path / "study", np.random.default_rng(4)
    shutil.copytree(album, root / "images")
    rows = [f"person {who},{name},{rng.integers(1, 6)}" for who in range(6) for name in names]
    (root / "ratings.csv").write_text("\n".join(("user,image,score", *rows)) + "\n")
    return root


def test_every_adapter_has_its_interval_coverage_and_harm(study, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    script, record = (importlib.import_module(name) for name in ("ai_pictures", "record"))
    monkeypatch.setattr(script, "SHOTS", (1, 3))
    monkeypatch.setattr(record, "RESULTS", tmp_path / "results")
    monkeypatch.setattr("protocols.report.files.figures", lambda _: ())
    options = ["--repeats", "2", "--adapter", "generic,auto", "--out", tmp_path / "run", "--jobs", "1"]
    monkeypatch.setattr(sys, "argv", ["ai_pictures.py", *map(str, [study, *options])])
    script.main()
    found = json.loads((tmp_path / "results" / "ai_pictures.json").read_text())
    assert list(found["adapters"]) == ["generic", "auto", "crowd oracle"]
    for name, cells in found["adapters"].items():
        for cell in cells.values():
            low, high = cell["two_way"]
            assert low < cell["srcc"] < high
            assert (cell["coverage"] is None) == (name == "crowd oracle")
            assert ("below" in cell) == (name == "auto")
    lines = found["markdown"].splitlines()
    assert len(lines) == 2 + 3 * 2
    assert lines[0].endswith("| in the 80 % interval | below generic |")
