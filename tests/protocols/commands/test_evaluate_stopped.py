"""``piaa evaluate`` and ``piaa pretrain`` stopped by Ctrl-C: what is kept is told, and it is kept."""

from __future__ import annotations

import pytest


def test_an_evaluation_that_is_stopped_goes_on(stopped, evaluate, mine, tiny_model, tmp_path):
    out = tmp_path / "run"
    options = ("--dataset", "table", "--root", mine, "--model", tiny_model, "--shots", "3,6", "--repeats", 3)
    told = (
        f"piaa: stopped; what was finished is kept in {out}: the same command goes on from there\n",
        "piaa: stopped; the photos read so far are remembered: the same command goes on from there\n",
    )
    reading = stopped("reading photos of table", 3, "evaluate", *options, "--jobs", 1, "--out", out)
    assert reading == (130, told[1])
    assert not out.exists()
    assert stopped("fitting", 4, "evaluate", *options, "--jobs", 1, "--out", out) == (130, told[0])
    kept = {path.name: path.stat().st_mtime_ns for path in (out / "units").iterdir()}
    assert len(kept) == 4
    assert evaluate("--out", out, root=mine).exit_code == 0
    assert {path.name: path.stat().st_mtime_ns for path in (out / "units").iterdir()}.items() >= kept.items()


def test_a_training_that_is_stopped_goes_on(stopped, piaa, mine, tmp_path):
    pytest.importorskip("torch")
    out = tmp_path / "run"
    words = ("pretrain", "--dataset", "table", "--root", mine, "--images", mine / "images", "--out", out)
    words += ("--preset", "test_vit", "--size", 32, "--epochs", 2, "--batch", 4, "--workers", 0)
    code, error = stopped("training", 8, *words, "--save-every", 1)
    assert (code, error.splitlines()[-1]) == (
        130,
        f"piaa: stopped; the run is kept in {out} as last saved: the same command goes on from there",
    )
    assert piaa(*words, "--save-every", 1).exit_code == 0
