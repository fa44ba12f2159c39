"""Who may import whom, and what a quick command may not import at all."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LAYERS = ("cli", "protocols", "piaa", "generic")
"""From the highest to the lowest; imports go downwards."""
INTERFACES = (
    "piaa.adapters.base",
    "piaa.ratings.locate",
    "piaa.ratings.table",
    "piaa.ratings.scale",
    "piaa.commands.options",
    "piaa.commands.terminal",
)
"""All that the protocols may know of piaa: what an adapter is, what ratings are and which files they mean,
and what all commands share."""
OUTSIDE = ("benchmarks", "tests")
HEAVY = {"torch", "timm", "torchvision", "pandas", "sklearn", "scipy", "pyarrow", "matplotlib"}


def imports(path: Path, root: Path) -> list[tuple[int, str]]:
    """Line and full name of each import of a file, wherever in the file it stands."""
    found = []
    package = path.relative_to(root).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) + 1 - node.level]) if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            # "from piaa import store" imports the module piaa.store.adapter_store.
            found += [(node.lineno, f"{module}.{alias.name}") for alias in node.names]
    return found


def offences(root: Path) -> list[str]:
    """Every import that goes upwards, or past the interfaces, in a tree laid out like this one."""
    problems = []
    files = [
        root / "cli.py",
        *(path for layer in LAYERS[1:] for path in sorted((root / layer).rglob("*.py"))),
    ]
    for path in files:
        layer = path.relative_to(root).with_suffix("").parts[0]
        for line, name in imports(path, root):
            top = name.split(".")[0]
            where = f"{path.relative_to(root).as_posix()}:{line}: {layer} imports {name}"
            upwards = top in LAYERS and LAYERS.index(top) < LAYERS.index(layer)
            past = (layer, top) == ("protocols", "piaa") and not any(
                f"{name}.".startswith(f"{allowed}.") for allowed in INTERFACES
            )
            if upwards or past or top in OUTSIDE:
                problems.append(where)
    return problems


def test_imports_go_downwards():
    assert offences(ROOT) == []


def test_the_rule_finds_every_kind_of_offence(tmp_path):
    sources = {
        "cli.py": "import protocols.splits.split\nfrom piaa import load_model\nfrom generic import errors\n",
        "protocols/splits/split.py": """\
            from generic.seeds import stream
            from piaa.adapters.base import Adapter
            from piaa.ratings.scale import Scale
            import piaa.ratings.table
            from piaa.ratings import table
            from piaa.ratings.read import read_rows
            from piaa.adapters.registry import ADAPTERS
            import piaa
            import cli
            """,
        "piaa/demo/run.py": """\
            from ..store import AdapterStore
            def late():
                from protocols.splits import split
            """,
        "generic/cache/features.py": """\
            from typing import TYPE_CHECKING
            from . import errors
            if TYPE_CHECKING:
                from piaa.ratings.scale import Scale
            import piaac
            """,
        "generic/lite/piaa_lite.py": "import benchmarks.train\n",
    }
    for name, source in sources.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(textwrap.dedent(source))
    assert offences(tmp_path) == [
        "protocols/splits/split.py:6: protocols imports piaa.ratings.read.read_rows",
        "protocols/splits/split.py:7: protocols imports piaa.adapters.registry.ADAPTERS",
        "protocols/splits/split.py:8: protocols imports piaa",
        "protocols/splits/split.py:9: protocols imports cli",
        "piaa/demo/run.py:3: piaa imports protocols.splits.split",
        "generic/cache/features.py:4: generic imports piaa.ratings.scale.Scale",
        "generic/lite/piaa_lite.py:1: generic imports benchmarks.train",
    ]


def loaded_by(*args: object, folder: Path) -> tuple[set[str], subprocess.CompletedProcess[str]]:
    """The top-level modules in memory when a command ends, and what it printed."""
    listing = folder / "modules.json"
    program = textwrap.dedent(f"""
        import atexit, json, pathlib, sys
        atexit.register(lambda: pathlib.Path({str(listing)!r}).write_text(json.dumps(sorted(sys.modules))))
        from cli import app
        app(prog_name="piaa")
    """)
    command = [sys.executable, "-c", program, *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=120)
    return {name.split(".")[0] for name in json.loads(listing.read_text())}, done


@pytest.mark.parametrize(
    "args",
    [
        ("--help",),
        ("score", "--help"),
        ("users", "list", "--help"),
        ("evaluate", "--help"),
        ("data", "check", "--help"),
    ],
)
def test_help_imports_nothing_heavy(user_folders, args):
    modules, done = loaded_by(*args, folder=user_folders)
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: piaa")
    assert modules & (HEAVY | {"numpy", "PIL", "safetensors"}) == set()
    assert "typer" in modules


def test_import_piaa_imports_nothing_heavy(user_folders):
    program = "import sys, piaa; print(sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=user_folders)
    modules = set(ast.literal_eval(done.stdout))
    assert "piaa" in modules
    assert modules & (HEAVY | {"numpy", "PIL", "safetensors"}) == set()


def test_fitting_and_scoring_known_photos_imports_nothing_heavy(
    piaa, fit, album, tiny_model, tmp_path, names
):
    assert fit().exit_code == 0
    command = ("score", album, "--user", "ana", "--model", tiny_model, "--json")
    modules, done = loaded_by(*command, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert {row["image"] for row in json.loads(done.stdout)["scores"]} == set(names)
    assert modules & HEAVY == set()
    assert "numpy" in modules

    ratings = tmp_path / "ratings.csv"
    options = ("--user", "ben", "--ratings", ratings, "--images", album, "--model", tiny_model)
    modules, done = loaded_by("fit-user", *options, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert modules & HEAVY == set()


def test_the_listing_sees_a_heavy_module(piaa, fit, album, tiny_model, tmp_path):
    assert fit().exit_code == 0
    command = ("score", album, "--user", "ana", "--model", tiny_model, "--out", "scores.parquet")
    modules, done = loaded_by(*command, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert modules & HEAVY == {"pandas", "pyarrow"}
