"""The OASIS tables in a small form: the real photos and ratings, through a network of random weights."""

from __future__ import annotations

import hashlib
import importlib
import json
import sys
from pathlib import Path

import pytest

from generic.cache.features import FeatureCache
from generic.errors import SplitLeak
from generic.model.checkpoint import Header, load_checkpoint, save_checkpoint
from protocols.fewshot.study import Settings

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
ADAPTERS = ("generic", "ridge", "bayes")
pytestmark = pytest.mark.slow


@pytest.fixture
def scripts(monkeypatch):
    """The benchmark's modules, as when it is run as a script."""
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    return importlib.import_module("oasis_protocol"), importlib.import_module("oasis_sides")


@pytest.fixture
def root(shared_data) -> Path:
    return shared_data / "oasis_beauty"


@pytest.fixture
def study(scripts, root, tiny_model, tmp_path):
    """Every model is the tiny one, which says of itself that it learned from what the real one may."""
    protocol, sides = scripts
    lists = sides.load_lists(root)
    header, tensors = load_checkpoint(tiny_model)
    for name in (*sides.WITHOUT.values(), *sides.SIDE.values()):
        photos = sorted(set(lists.learned_from(name).images))
        digests = [hashlib.sha256((root / "images" / photo).read_bytes()).hexdigest() for photo in photos]
        own = Header(
            name=name,
            architecture=header.architecture,
            scale=header.scale,
            training={"images_sha256": digests},
        )
        save_checkpoint(tmp_path / f"{name}.safetensors", own, tensors)
    with FeatureCache.open(tmp_path / "cache") as cache:
        yield protocol.Study(lists, tmp_path, ADAPTERS, Settings(shots=(10, 100), repeats=2), cache)


def test_every_list_and_every_pair_is_there_and_a_second_run_computes_nothing(scripts, study, tmp_path):
    protocol, _ = scripts
    left_out, sides, figures = protocol.measured(study, tmp_path / "run", 1)
    users = importlib.import_module("oasis_users")
    for part, report in zip(users.PARTS, (left_out, sides), strict=True):
        users.write_users(report.results, part, tmp_path / "users")
    # Every cell, worked out again from single people: three lists and nine pairs, four rows, two k.
    assert users.check(json.loads(json.dumps(figures)), tmp_path / "users") == ((3 + 9) * 4 * 2, [])
    assert sum(file.stat().st_size for file in (tmp_path / "users").iterdir()) < 1_000_000
    people = {test: cells["generic"]["10"] for test, cells in figures["left_out"].items()}
    # Two people of list 1 gave one score to all of their photos: they have no SRCC, and are counted.
    assert {test: (cell["users"], cell["dropped_users"]) for test, cell in people.items()} == {
        "list 1": (366, 2),
        "list 2": (140, 0),
        "list 3": (145, 0),
    }
    # The crowd does not depend on the model: it is far above random weights, and of the known size.
    crowd = figures["left_out"]["list 3"]["crowd oracle"]["10"]["srcc"]
    assert 0.5 < crowd < 0.8
    assert figures["left_out"]["list 3"]["generic"]["10"]["srcc"] < crowd - 0.2
    pairs = {(cell["train"], cell["test"]) for entry in figures["matrix"] for cell in entry["cells"]}
    assert len(pairs) == 9
    assert {pair["against"] for pair in figures["comparisons"]} == {"generic", "ridge"}
    assert set(figures["costs"]) == set(ADAPTERS)
    units = {file: file.stat().st_mtime_ns for file in (tmp_path / "run").rglob("units/*.json")}
    assert len(units) == 3 * 4 * 2 * 2 + 9 * 4 * 2 * 2
    _, _, again = protocol.measured(study, tmp_path / "run", 1)
    assert {file: file.stat().st_mtime_ns for file in units} == units
    assert {**again, "costs": None} == {**figures, "costs": None}


def test_the_model_of_a_list_is_refused_on_it(scripts, study, root, tmp_path):
    _, sides = scripts
    leaky = tmp_path / f"{sides.WITHOUT[1]}.safetensors"
    leaky.write_bytes((tmp_path / f"{sides.WITHOUT[2]}.safetensors").read_bytes())
    with pytest.raises(SplitLeak, match=r"was trained on 187 of 187 test images"):
        list(study.left_out())


def test_no_side_trains_on_what_it_tests(scripts, root):
    _, sides = scripts
    lists = sides.load_lists(root)
    for number in (1, 2, 3):
        learned = lists.learned_from(sides.SIDE[number])
        split = lists.sides(number)
        assert len(split.test_images) == 120
        assert not set(learned.images) & set(split.test_images)
        assert not set(learned.users) & set(split.test_users)
        others = lists.learned_from(sides.WITHOUT[number])
        assert not set(others.images) & set(lists.single[number].labelled())
        assert not set(others.users) & set(lists.single[number].ratings.users)
