"""The versions of all packages: the same for uv and pip, one for each place, and from no host."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PINS = PYPROJECT["tool"]["uv"]["constraint-dependencies"]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
PLATFORMS = (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"), ("win32", "AMD64"))


@pytest.fixture(scope="module")
def pin():
    spec = importlib.util.spec_from_file_location("pin", ROOT / ".ci" / "pin.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def wanted() -> list[Requirement]:
    """Everything that pyproject.toml asks for by name."""
    project, groups = PYPROJECT["project"], PYPROJECT["dependency-groups"]
    lists = [project["dependencies"], *project["optional-dependencies"].values(), *groups.values()]
    asked = [Requirement(text) for one in lists for text in one if isinstance(text, str)]
    return [one for one in asked if one.name != "piaa"]  # our own extras


def test_uv_and_pip_are_told_the_same():
    first, *lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert first.startswith("# ")
    assert lines == PINS


def test_a_pin_is_a_name_and_a_version_and_names_no_host():
    marker = r"[a-z_]+ [<>=!]+ '[\w.]+'"
    pin = re.compile(rf"[a-z0-9-]+==[0-9][a-z0-9.]*( ; {marker}( (and|or) {marker})*)?")
    assert [line for line in PINS if not pin.fullmatch(line)] == []


def test_what_we_ask_for_is_pinned_within_its_range():
    pins = [Requirement(line) for line in PINS]
    for asked in wanted():
        found = [one.specifier for one in pins if one.name == canonicalize_name(asked.name)]
        assert found, asked
        assert all(asked.specifier.contains(str(one).removeprefix("==")) for one in found), asked


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(("system", "machine"), PLATFORMS)
def test_a_package_has_one_version_wherever_it_runs(python, system, machine):
    place = {"python_full_version": f"{python}.0", "python_version": python}
    place |= {"sys_platform": system, "platform_machine": machine}
    pins = [Requirement(line) for line in PINS]
    names = [one.name for one in pins if one.marker is None or one.marker.evaluate(place)]
    assert sorted(names) == sorted({one.name for one in pins})


def test_the_core_and_the_groups_are_what_uv_takes_by_default():
    assert PYPROJECT["tool"]["uv"]["default-groups"] == []
    asked = [Requirement(text).name for text in PYPROJECT["project"]["dependencies"]]
    assert sorted(asked) == asked
    assert "onnxruntime" in asked
    assert {"torch", "timm", "pyarrow", "matplotlib", "psycopg", "sqlalchemy"} & set(asked) == set()


def test_the_script_keeps_what_else_is_in_the_file(pin):
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert pin.with_pins(text, PINS) == text
    bare = pin.with_pins(text, [])
    assert bare != text
    assert pin.with_pins(bare, PINS) == text
    without = text.replace(text[text.index("constraint-dependencies") : text.index("default-groups")], "")
    assert pin.with_pins(without, PINS) == text


def test_the_script_keeps_markers_where_versions_differ_and_leaves_cuda_to_torch(pin):
    found = ["colorama==0.4 ; os_name == 'nt'", "cuda-toolkit==13", "triton==3 ; sys_platform == 'linux'"]
    found += ["numpy==2.4 ; python_full_version < '3.12'", "numpy==2.5 ; python_full_version >= '3.12'"]
    assert pin.to_pins([*found, "torch==2.15.0", "nvidia-nccl-cu13==2"]) == [
        "colorama==0.4",
        "numpy==2.4 ; python_full_version < '3.12'",
        "numpy==2.5 ; python_full_version >= '3.12'",
        "torch==2.15.0",
    ]
