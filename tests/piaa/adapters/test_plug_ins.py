"""Adapters of other packages: found, run by the real command, refused in one line if they are broken."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from piaa.adapters.registry import ADAPTERS

GOOD = "nearest = nearest_adapter:NearestAdapter"
OF = "adapter 'nearest' of package nearest-adapter 0.3"
CURE = "repair or uninstall the package, or choose another adapter"
ABSTRACT = """
from piaa.adapters.base import Adapter

class NearestAdapter(Adapter):
    name = "nearest"
    def fit(self, features, unit_scores): ...
    def predict(self, features): ...
    def state(self): ...
"""


@pytest.fixture
def command(user_folders, warm, tmp_path):
    """Runs ``piaa`` as a process of its own, which alone sees what was installed."""

    def go(*args):
        words = [sys.executable, "-m", "cli", *map(str, args)]
        return subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, timeout=120)

    return go


@pytest.fixture
def evaluate(command, tmp_path, album, names, tiny_model):
    """``piaa evaluate`` on three people's ratings of the album."""
    root = tmp_path / "mine"
    shutil.copytree(album, root / "images")
    rng = np.random.default_rng(3)
    rows = [f"{user},{name},{rng.integers(1, 6)}" for user in ("ana", "ben", "cy") for name in names]
    (root / "ratings.csv").write_text("\n".join(("user,image,score", *rows)) + "\n")

    def go(adapters: str, *args):
        common = ("--dataset", "table", "--root", root, "--model", tiny_model, "--repeats", "2")
        return command("evaluate", *common, "--shots", "5", "--adapter", adapters, *args)

    return go


def test_an_evaluation_runs_it(install, evaluate, tmp_path):
    install(GOOD)
    done = evaluate("generic,nearest", "--out", "run")
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["config"]["adapters"] == ["generic", "nearest"]
    cells = results["results"]
    assert cells["adapter"].count("nearest") == cells["adapter"].count("generic") == 3 * 2
    assert np.isfinite(cells["mae"]).all()


def test_a_person_is_fitted_stored_and_scored(install, command, album, tiny_model, ratings):
    install(GOOD)
    options = ("--user", "ana", "--model", tiny_model)
    fitted = command(
        "fit-user", *options, "--ratings", ratings, "--images", album, "--adapter", "nearest", "--json"
    )
    assert fitted.returncode == 0, fitted.stderr
    assert json.loads(fitted.stdout)["adapter"] == "nearest"
    scored = command("score", album, *options, "--json")
    assert scored.returncode == 0, scored.stderr
    # The nearest photo to a rated one is itself.
    scores = {row["image"]: row["score"] for row in json.loads(scored.stdout)["scores"]}
    assert scores["photo-01.jpg"] > scores["photo-02.jpg"]
    more = command("fit-user", *options, "--add", "--ratings", ratings, "--images", album)
    # It keeps no support of its own: she is learned again from what the store knows.
    assert (more.returncode, more.stderr) == (0, "")
    assert "(nearest on " in more.stdout


def test_it_is_among_those_to_choose_from(install, evaluate):
    install(GOOD)
    done = evaluate("furthest")
    known = ", ".join((*ADAPTERS, "nearest"))
    assert (done.returncode, done.stderr) == (
        1,
        f"piaa: there is no adapter 'furthest'; choose one of {known}\n",
    )


@pytest.mark.parametrize(
    ("entry", "source", "wrong"),
    [
        (
            "nearest = gone:NearestAdapter",
            "",
            "cannot be imported (ModuleNotFoundError: No module named 'gone')",
        ),
        (GOOD, "1 / 0\n", "cannot be imported (ZeroDivisionError: division by zero)"),
        (
            GOOD,
            "NearestAdapter = 7\n",
            "is 7, expected a class derived from piaa.adapters.base.Adapter",
        ),
        (
            GOOD,
            ABSTRACT.replace('"nearest"', '"other"'),
            "is a class whose name is 'other', expected 'nearest'",
        ),
        (
            GOOD,
            ABSTRACT,
            "cannot be made (TypeError: Can't instantiate abstract class NearestAdapter with abstract method "
            "restore)",
        ),
    ],
)
def test_a_broken_one_is_one_line_and_costs_only_itself(install, evaluate, entry, source, wrong):
    install(entry, source=source)
    done = evaluate("generic,nearest")
    assert (done.returncode, done.stdout) == (1, "")
    # Python 3.12 quotes the method's name.
    assert done.stderr.replace("'restore'", "restore") == f"piaa: {OF} {wrong}; {CURE}\n"
    others = evaluate("generic", "--out", "run")
    assert others.returncode == 0, others.stderr
    assert "nearest" not in others.stderr


def test_names_that_are_taken(install, evaluate):
    install("ridge = nearest_adapter:NearestAdapter", GOOD)
    install("nearest = second:NearestAdapter", package="second")
    done = evaluate("ridge,nearest", "--out", "run")
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[:2] == [
        "adapter 'nearest' of package second 0.3 is left out, as adapter 'nearest' of package "
        "nearest-adapter 0.3 has the name; rename or uninstall one",
        "adapter 'ridge' of package nearest-adapter 0.3 is left out, as piaa's own has the name; rename or "
        "uninstall one",
    ]


def test_metadata_that_cannot_be_read_costs_other_packages_alone(install, evaluate):
    site = install(GOOD)
    (about,) = site.glob("*.dist-info")
    (about / "entry_points.txt").write_text("[piaa.adapters]\nno equals sign\n")
    done = evaluate("generic", "--out", "run")
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("adapters of other packages are left out, as their metadata is bad: ")


@pytest.mark.parametrize("args", [("--help",), ("evaluate", "--help")])
def test_a_command_that_needs_none_imports_none(install, command, args):
    install(GOOD, source="raise SystemExit('imported')\n")
    done = command(*args)
    assert (done.returncode, done.stderr) == (0, "")


def test_ours_are_found_without_a_look_at_others(install, tmp_path):
    install(GOOD)
    program = (
        "import sys\n"
        "from piaa.adapters.registry import make_adapter\n"
        "make_adapter('ridge', None)\n"
        "assert 'importlib.metadata' not in sys.modules\n"
        "print(type(make_adapter('nearest', None)).__name__)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("NearestAdapter\n", "")
