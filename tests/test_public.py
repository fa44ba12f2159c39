"""What others may rely on: the names of ``piaa``, its version, its errors, its types."""

from __future__ import annotations

import importlib
import pkgutil
import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

import generic
import generic.errors
import piaa
import protocols

ROOT = Path(__file__).resolve().parents[1]


def test_public_names():
    assert set(piaa.__all__) == {
        *("Client", "Model", "Person", "Ratings", "Scale", "load_model"),
        *("Adapter", "Prediction", "adapter_names"),
        *("CacheError", "CheckpointError", "ClusterError", "DatasetError", "EngineError", "ImageError"),
        "MissingPackage",
        "ModelMismatch",
        *("NotFitted", "OutputError", "PiaaError", "RatingsError", "ScaleError", "ServerError", "ShapeError"),
        *(
            "SplitLeak",
            "StarsError",
            "StoreError",
            "StoreUnavailable",
            "TooFewRatings",
            "TooLarge",
            "TrainingError",
        ),
        "UnknownUser",
    }
    assert set(piaa.__all__) <= set(dir(piaa))


@pytest.mark.parametrize("name", piaa.__all__)
def test_each_public_name_is_there(name):
    namespace: dict[str, object] = {}
    exec(f"from piaa import {name}", namespace)
    assert namespace[name].__name__ == name
    assert namespace[name] is getattr(piaa, name)


def test_names_of_adapters():
    ours = ["generic", "bias", "ridge", "pam", "neighbours", "pairs", "bayes", "auto"]
    assert piaa.adapter_names() == [*ours, "anil", "maml", "meta-sgd", "lora", "finetune"]


def test_what_is_not_public_is_refused():
    with pytest.raises(AttributeError) as caught:
        piaa.load_models  # noqa: B018
    assert str(caught.value) == "module 'piaa' has no attribute 'load_models'"


def all_errors() -> dict[str, type[Exception]]:
    """Every error class of the toolkit by name, wherever it is defined."""
    for package in (generic, piaa, protocols):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.startswith("piaa.store.migrations.versions."):  # Alembic's, loaded by path
                importlib.import_module(module.name)
    found: dict[str, type[Exception]] = {}
    waiting: list[type[Exception]] = [piaa.PiaaError]
    while waiting:
        error = waiting.pop()
        if error.__module__.split(".")[0] in ("generic", "piaa", "protocols"):  # others are of tests
            found[error.__name__] = error
            waiting += error.__subclasses__()
    return found


def _base(error: type[Exception]) -> type[Exception]:
    return next(base for base in error.__bases__ if issubclass(base, piaa.PiaaError))


def test_the_tree_of_errors_is_complete():
    page = generic.errors.__doc__ or ""
    drawn: dict[str, tuple[str, str]] = {}
    above = ["PiaaError"]
    for indent, name, text in re.findall(r"^ {4}((?:│   |    )*)[├└]── (\w+) +(.*)$", page, re.M):
        depth = len(indent) // 4 + 1
        above[depth:] = [name]
        home = re.search(r"\((.*)\)$", text)
        drawn[name] = (above[depth - 1], home[1] if home else "generic.errors")
    there = {
        name: (
            next(base.__name__ for base in error.__bases__ if issubclass(base, piaa.PiaaError)),
            error.__module__,
        )
        for name, error in all_errors().items()
        if error is not piaa.PiaaError
    }
    assert drawn == there


def test_errors_of_the_lowest_layer_are_public():
    own = {name for name, error in vars(generic.errors).items() if isinstance(error, type)}
    assert own <= set(piaa.__all__)


def test_version(piaa, user_folders):
    assert piaa("--version").stdout == f"piaa {version('piaa')}\n"
    assert piaa("--version").exit_code == 0


def test_the_version_stands_in_one_place():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"]["path"] == "piaa/__init__.py"


@pytest.mark.parametrize("package", ["generic", "piaa", "protocols"])
def test_type_checkers_believe_the_annotations(package):
    assert (ROOT / package / "py.typed").is_file()
