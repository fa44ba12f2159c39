"""Optional packages: the list is that of pyproject.toml, and who lacks one is told the extra."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from generic.errors import MissingPackage
from generic.extras import PACKAGES, cure, installed, needing, require

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
IMPORTED_AS = {"psycopg[binary,pool]": "psycopg", "ray[data]": "ray", "python-multipart": "python_multipart"}
"""Distributions whose module has not the name of the distribution with underscores."""
BROUGHT = {"postgres": {"psycopg_pool"}, "train": {"torchvision"}}
"""Modules of packages that come with those of an extra."""


def own(extra: str) -> list[str]:
    """What an extra asks for, without other extras of ours."""
    names = [re.split(r"[<>=]", text)[0] for text in EXTRAS[extra]]
    return [name for name in names if not name.startswith("piaa[")]


@pytest.mark.parametrize("extra", PACKAGES)
def test_each_module_is_listed_under_the_extra_that_brings_it(extra):
    modules = {IMPORTED_AS.get(name, name.replace("-", "_")) for name in own(extra)}
    assert set(PACKAGES[extra]) == modules | BROUGHT.get(extra, set())


def test_all_is_every_extra_but_two():
    (text,) = EXTRAS["all"]
    apart = {"cluster", "meta"}
    assert Requirement(text).extras == EXTRAS.keys() - {"all"} - apart == PACKAGES.keys() - apart


def test_no_module_stands_twice():
    modules = [module for modules in PACKAGES.values() for module in modules]
    assert len(set(modules)) == len(modules)


@pytest.fixture
def without(monkeypatch):
    def hide(*names):
        for name in names:
            monkeypatch.setitem(sys.modules, name, None)

    return hide


CURE = (
    "piaa pretrain needs torch, which is not installed; install it: pip install 'piaa[train]'  "
    "(in a clone: uv run --extra train piaa ...)"
)


def test_a_missing_package_names_its_extra(without):
    without("torch")
    assert not installed("torch")
    with pytest.raises(MissingPackage) as caught, needing("piaa pretrain"):
        import torch.nn  # noqa: F401
    assert str(caught.value) == CURE
    with pytest.raises(MissingPackage) as caught:
        require("piaa pretrain", "torch")
    assert str(caught.value) == CURE


def test_the_cause_of_an_import_error_counts(without):
    without("torch")
    cause = ModuleNotFoundError("import of torch halted", name="torch")
    with pytest.raises(MissingPackage) as caught, needing("piaa pretrain"):
        raise ImportError("timm needs a tensor library") from cause
    assert str(caught.value) == CURE


@pytest.mark.parametrize("name", ["generic.none", "protocols.none", "numpy.none", "no_such_package"])
def test_a_missing_module_that_no_extra_brings_is_not_hidden(name):
    with pytest.raises(ModuleNotFoundError) as caught, needing("piaa score"):
        __import__(name)
    assert caught.value.name == name


def test_an_installed_package_that_does_not_import_is_not_hidden(monkeypatch):
    monkeypatch.setattr("generic.extras.find_spec", lambda _: object())
    with pytest.raises(ModuleNotFoundError), needing("piaa score"):
        raise ModuleNotFoundError("No module named 'torch._C'", name="torch._C")


def test_every_module_has_a_cure():
    for extra, modules in PACKAGES.items():
        for module in modules:
            assert cure(module).startswith(
                f"{module}, which is not installed; install it: pip install 'piaa[{extra}]'"
            )
