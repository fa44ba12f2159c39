"""What is shipped: the source archive, the wheel made from it, and the command line that the wheel gives."""

from __future__ import annotations

import configparser
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
MEGABYTE = 1_000_000


def build_command(out: Path) -> list[str]:
    """Builds the source archive, and the wheel from that archive and not from the checkout."""
    if importlib.util.find_spec("hatchling") and importlib.util.find_spec("build"):
        return [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    uv = os.environ.get("UV") or shutil.which("uv")  # set by `uv run`
    if uv:
        return [uv, "build", "--quiet", "--out-dir", str(out), str(ROOT)]
    return [sys.executable, "-m", "build", "--outdir", str(out), str(ROOT)]


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    done = subprocess.run(build_command(out), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def wheel(built) -> Path:
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def unpacked(wheel, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def sources() -> set[str]:
    """What the packages consist of in the checkout."""
    folders = [ROOT / name for name in ("generic", "piaa", "protocols")]
    files = {path for folder in folders for path in folder.rglob("*.py")}
    files |= set((ROOT / "generic" / "weights").glob("*.onnx"))
    files |= set((ROOT / "protocols" / "datasets").glob("*.txt"))
    files |= {ROOT / "piaa" / "people" / "expected.json", *(ROOT / "piaa" / "wall").glob("wall.*s")}
    files |= set((ROOT / "piaa" / "page" / "assets").iterdir())
    files |= {ROOT / name / "py.typed" for name in ("generic", "piaa", "protocols")}
    return {path.relative_to(ROOT).as_posix() for path in files} | {"cli.py"}


def test_wheel_holds_the_four_names_only(wheel):
    assert wheel.name == "piaa-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        files = set(archive.namelist())
    assert {name.split("/")[0] for name in files} == {
        "piaa",
        "generic",
        "protocols",
        "cli.py",
        "piaa-0.1.0.dist-info",
    }
    assert {name for name in files if not name.startswith("piaa-0.1.0.dist-info/")} == sources()
    assert "generic/weights/piaa-lite.onnx" in files
    assert {f"piaa-0.1.0.dist-info/licenses/{name}" for name in ("LICENSE", "NOTICE")} <= files


def test_sizes(built, wheel):
    (archive,) = built.glob("*.tar.gz")
    assert 5 * MEGABYTE < wheel.stat().st_size < 30 * MEGABYTE
    assert archive.stat().st_size < 30 * MEGABYTE


def test_source_archive_holds_what_a_packager_needs(built):
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        files = {name.removeprefix("piaa-0.1.0/") for name in archive.getnames()}
    pages = {"README.md", "CONTRIBUTING.md", "CITATION.cff", "LICENSE", "NOTICE"}
    assert sources() | pages | {"pyproject.toml", "constraints.txt", "tests/test_packaging.py"} <= files
    assert {name.split("/")[0] for name in files} <= {
        "PKG-INFO",
        ".gitignore",
        "pyproject.toml",
        "README.md",
        "CHANGELOG.md",
        "CITATION.cff",
        "CONTRIBUTING.md",
        "LICENSE",
        "NOTICE",
        "constraints.txt",
        "piaa",
        "generic",
        "protocols",
        "cli.py",
        "tests",
        "docs",
        "benchmarks",
    }


def test_the_citation_says_what_the_package_and_the_docs_say():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (citation["cff-version"], citation["type"]) == ("1.2.0", "software")
    assert (citation["license"], citation["keywords"]) == (project["license"], project["keywords"])
    assert {"version", "date-released"} & citation.keys() == set()  # they would be forgotten here
    papers = {reference["title"]: reference for reference in citation["references"]}
    for page, title in zip(("eat", "second-paper"), papers, strict=True):
        assert title in (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
        assert all(author["family-names"] for author in papers[title]["authors"])


def run_installed(unpacked: Path, folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Calls the entry point as the script that pip writes does, from a folder of its own."""
    metadata = configparser.ConfigParser()
    metadata.read(unpacked / "piaa-0.1.0.dist-info" / "entry_points.txt")
    module, name = metadata["console_scripts"]["piaa"].split(":")
    program = f"import sys; sys.argv[0] = 'piaa'; from {module} import {name}; sys.exit({name}())"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PIAA_")}
    environment |= {"PYTHONPATH": str(unpacked), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", program, *args]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, timeout=120)


def test_installed_command_works_from_another_folder(unpacked, tmp_path):
    done = run_installed(unpacked, tmp_path, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: piaa [OPTIONS] COMMAND [ARGS]...")
    for command in ("fit-user", "score", "demo", "users", "models", "cache"):
        assert f"\n  {command} " in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_installed_command_finds_its_own_weights(unpacked, tmp_path):
    done = run_installed(unpacked, tmp_path, "models", "info", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    weights = unpacked / "generic" / "weights" / "piaa-lite.onnx"
    assert json.loads(done.stdout)["file"] == str(weights)
    assert json.loads(done.stdout)["n_bytes"] == weights.stat().st_size
