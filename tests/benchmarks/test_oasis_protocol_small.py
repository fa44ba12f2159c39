"""The whole of ``benchmarks/oasis_protocol.py`` on generated ratings of rendered photos, with tiny models."""

from __future__ import annotations

import hashlib
import importlib
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from generic.model.checkpoint import load_checkpoint, save_checkpoint

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
SHOTS = ("1", "2")


@pytest.fixture
def scripts(monkeypatch):
    """The benchmark's modules, as when it is run as a script."""
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    return [
        importlib.import_module(name)
        for name in ("oasis_protocol", "oasis_sides", "oasis_tables", "record", "oasis_users")
    ]


@pytest.fixture
def root(tmp_path, album, names) -> Path:
    """Three lists of four photos; each was rated by eight people of its own, in the form of the real data."""
    root, rng = tmp_path / "study", np.random.default_rng(5)
    shutil.copytree(album, root / "images")
    rows, photos = ["user,image,score"], ["image,list"]
    for place, name in enumerate(names):
        number = 1 + place % 3
        photos.append(f"{name},{number}")
        rows += [f"person {number}{person},{name},{rng.integers(1, 8)}" for person in "abcdefgh"]
    (root / "ratings.csv").write_text("\n".join(rows) + "\n")
    (root / "images.csv").write_text("\n".join(photos) + "\n")
    return root


@pytest.fixture
def models(scripts, root, tiny_model, tmp_path, monkeypatch) -> Path:
    """Every model is the tiny one, which says of itself that it learned from what the real one may."""
    protocol, sides, _, record, _ = scripts
    monkeypatch.setattr(sides, "N_TEST_PHOTOS", 3)
    monkeypatch.setattr(protocol, "CROSS_SHOTS", (1,))
    monkeypatch.setattr(protocol, "DOCS", tmp_path)
    monkeypatch.setattr(record, "RESULTS", tmp_path / "results")
    lists = sides.load_lists(root)
    header, tensors = load_checkpoint(tiny_model)
    (tmp_path / "models").mkdir()
    for name in (*sides.WITHOUT.values(), *sides.SIDE.values()):
        photos = [root / "images" / photo for photo in set(lists.learned_from(name).images)]
        digests = [hashlib.sha256(photo.read_bytes()).hexdigest() for photo in photos]
        own = replace(header, name=name, training={"images_sha256": digests})
        save_checkpoint(tmp_path / "models" / f"{name}.safetensors", own, tensors)
    return tmp_path / "models"


@pytest.fixture
def run(scripts, root, models, tmp_path, monkeypatch):
    """Runs the script, and gives what it wrote for the tables."""

    def go(adapters: str) -> dict:
        options = ["--models", models, "--out", tmp_path / "run", "--shots", ",".join(SHOTS)]
        options += ["--repeats", "2", "--adapter", adapters, "--jobs", "1"]
        monkeypatch.setattr(sys, "argv", ["oasis_protocol.py", str(root), *map(str, options)])
        scripts[0].main()
        return json.loads((tmp_path / "results" / "oasis_protocol.json").read_text())

    return go


def test_one_command_writes_figures_tables_and_plots(scripts, run, tmp_path):
    figures = run("generic,bayes,auto")
    assert list(figures["left_out"]) == ["list 1", "list 2", "list 3"]
    for rows in figures["left_out"].values():
        assert list(rows) == ["generic", "bayes", "auto", "crowd oracle"]
        assert all(set(cells) == set(SHOTS) for cells in rows.values())
        assert rows["generic"]["1"]["users"] + rows["generic"]["1"]["dropped_users"] == 8
        assert rows["crowd oracle"]["1"]["coverage"] is None
    pairs = {(cell["train"], cell["test"]) for entry in figures["matrix"] for cell in entry["cells"]}
    assert len(pairs) == 9
    # Holm's correction can only raise a p-value.
    assert all(pair["p_holm"] >= pair["p"] for pair in figures["comparisons"])
    assert (tmp_path / "oasis-shots.png").is_file()
    assert (tmp_path / "oasis-cross.png").is_file()
    tables = scripts[2]
    lists = tables.lists_table(figures).splitlines()
    assert len(lists) == 2 + 3 * 4 + 2
    assert lists[-1] == "In brackets: 95 % interval over people and photos, by a two-way bootstrap."
    low, high = figures["left_out"]["list 3"]["auto"]["2"]["two_way"]
    assert f"[{low:.3f}, {high:.3f}]" in tables.main_table(figures)
    # The crowd gives no interval, so it has no share of ratings within one.
    covered = tables.coverage_table(figures).splitlines()
    assert len(covered) == 2 + 3 * 3
    share = 100 * figures["left_out"]["list 2"]["bayes"]["2"]["coverage"]
    assert covered[6].endswith(f" {share:.1f} % |")
    below = figures["below_the_crowd"]
    assert [(one["test"], one["k"]) for one in below] == [
        (f"list {number}", k) for number in (1, 2, 3) for k in (1, 2)
    ]
    assert all(0 <= one["below"] <= 1 and one["worst"] <= one["one_in_twenty"] for one in below)
    assert len(tables.below_table(figures).splitlines()) == 2 + 3


def test_every_cell_can_be_worked_out_from_single_people_without_training(
    scripts, run, tmp_path, capsys, monkeypatch
):
    pytest.importorskip("pyarrow")
    run("generic,bayes")
    users, folder = scripts[4], tmp_path / "results"
    monkeypatch.setattr(sys, "argv", ["oasis_users.py", "--results", str(folder)])
    users.main()
    # Three lists, three rows each, at two k; three by three sides, three rows, at one.
    n = 3 * 3 * 2 + 9 * 3 * 1
    assert capsys.readouterr().out == (
        f"{n} cells worked out from single people, 0 figures differ by more than 1e-06\n"
    )
    # People are numbers there: no name of the study leaves it.
    assert b"person" not in b"".join(file.read_bytes() for file in (folder / "oasis_protocol").iterdir())
    stated = json.loads((folder / "oasis_protocol.json").read_text())
    stated["left_out"]["list 2"]["bayes"]["2"]["srcc"] += 0.001
    (folder / "oasis_protocol.json").write_text(json.dumps(stated))
    with pytest.raises(
        SystemExit, match=r"^left_out \('lists 1 and 3', 'list 2', 'bayes', 2\): srcc differs"
    ):
        users.main()


def test_figures_from_before_photos_were_drawn_have_the_interval_that_they_have(scripts):
    cells = {"1": {"srcc": 0.5, "std_over_repeats": 0.1, "interval": [0.4, 0.6], "coverage": 0.8}}
    old = {"left_out": {"list 3": {"generic": cells, "auto": cells}}}
    assert "[0.4" not in scripts[2].main_table(old)
    cells["1"] |= {"dropped_cells": 0, "users": 3, "dropped_users": 0}
    assert scripts[2].lists_table(old).endswith("In brackets: 95 % interval over people, by a bootstrap.")


@pytest.mark.slow
def test_what_was_computed_is_not_computed_again(run, tmp_path):
    """And of some adapters only."""
    figures = run("generic,bayes")
    assert list(figures["left_out"]["list 1"]) == ["generic", "bayes", "crowd oracle"]
    assert figures["below_the_crowd"] == []
    units = {file: file.stat().st_mtime_ns for file in (tmp_path / "run").rglob("units/*.json")}
    assert len(units) == 3 * 3 * 2 * 2 + 9 * 3 * 1 * 2
    again = run("generic,bayes")
    assert {file: file.stat().st_mtime_ns for file in units} == units
    assert {**again, "costs": None} == {**figures, "costs": None}


def test_whom_auto_ranks_worse(scripts):
    """Of ten people, two are below by .1 and by .3 (mean over repeats); one without a SRCC does not count."""
    gains = [-0.1, -0.3, 0.0, *[0.2] * 7, np.nan]
    names = {"train": "lists 2 and 3", "test": "list 1"}
    rows = [
        {**names, "k": 10, "user": user, "adapter": name, "repeat": repeat, "srcc": srcc}
        for user, gain in enumerate(gains)
        for name, at in (("generic", 0.5), ("auto", 0.5 + gain), ("crowd oracle", 0.9))
        for repeat, srcc in enumerate((at - 0.4, at + 0.4))
    ]
    cells = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    (found,) = scripts[0].below_the_crowd(SimpleNamespace(columns=cells))
    assert (found["test"], found["k"], found["users"]) == ("list 1", 10, 10)
    assert found["below"] == 0.2
    # The fifth percentile lies between the two lowest of ten, .45 of the way.
    assert found["one_in_twenty"] == pytest.approx(-0.3 + 0.45 * 0.2)
    assert found["worst"] == pytest.approx(-0.3)
    cells["adapter"][cells["adapter"] == "auto"] = "bayes"
    assert scripts[0].below_the_crowd(SimpleNamespace(columns=cells)) == []
