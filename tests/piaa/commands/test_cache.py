"""``piaa cache`` and the options of the cache, on a rendered album and a tiny model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from generic.model.checkpoint import read_header


def short_hash(path: Path) -> str:
    return read_header(path).hash[:8]


def test_cache_info_and_clear(piaa, warm, tiny_model):
    info = json.loads(piaa("cache", "info", "--json").stdout)
    assert info["path"] == str(warm / "piaa-features.sqlite")  # PIAA_CACHE_DIR
    assert (info["n_entries"], info["models"]) == (12, {read_header(tiny_model).hash: 12})
    size = f"{info['n_bytes'] / 1e6:.1f} MB"
    assert piaa("cache", "info").stdout == (
        f"{info['path']}: 12 photos, {size}\n  model {short_hash(tiny_model)}: 12 photos\n"
    )
    assert piaa("cache", "clear", "--model", "piaa-lite").stdout == "removed the features of 0 photos\n"
    assert piaa("cache", "clear", "--model", tiny_model).stdout == "removed the features of 12 photos\n"
    assert json.loads(piaa("cache", "info", "--json").stdout)["n_entries"] == 0


def test_cache_option_chooses_the_folder_and_no_cache_leaves_no_trace(piaa, fit, score, album, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    assert score("--cache", elsewhere).exit_code == 0
    assert json.loads(piaa("cache", "info", "--cache", elsewhere, "--json").stdout)["n_entries"] == 12
    assert piaa("cache", "clear", "--cache", elsewhere).stdout == "removed the features of 12 photos\n"
    shutil.rmtree(elsewhere)
    shutil.rmtree(tmp_path / "user-cache")
    assert score("--no-cache").exit_code == 0
    assert not (tmp_path / "user-cache").exists()
    both = score("--no-cache", "--cache", elsewhere)
    assert both.exit_code == 2
    assert "--cache and --no-cache contradict each other; give one of them" in both.stderr
