"""The code of docs/second-paper.md runs as it stands, on a generated photo and export."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

PAGE = Path(__file__).resolve().parents[1] / "docs" / "second-paper.md"
BLOCKS = re.findall(r"```py\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a photo, and an export with the columns that the page's table names."""
    monkeypatch.chdir(tmp_path)
    names = re.findall(r"^\| `\w+` \| `([^`]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    Path("photos").mkdir()
    Image.new("RGB", (100, 70)).save("photos/one.jpg")
    Path("fixations.tsv").write_text(
        "\t".join(names) + "\np1\tone.jpg\t60.5\t20\t180\np2\tone.jpg\t70\t30\t90\n"
    )


def test_gaze(place):
    names = {"model_map": np.random.default_rng(0).uniform(size=(70, 100))}
    exec(BLOCKS[0], names)
    assert len(names["gaze"]) == 2
    assert np.unravel_index(names["seen"].argmax(), (70, 100))[1] > 50
    assert 0 < names["kept"].mean() < 1


def test_network():
    names = {}
    exec(BLOCKS[1], names)
    assert names["network"].num_classes == 10


def test_every_python_block_is_run():
    assert len(BLOCKS) == 2
