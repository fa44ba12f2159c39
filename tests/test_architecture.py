"""Who may import whom, what a quick command may not import at all, and where the tests of a module lie."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

ROOT = Path(__file__).resolve().parents[1]
LAYERS = ("cli", "protocols", "piaa", "generic")
"""From the highest to the lowest; imports go downwards."""
INTERFACES = (
    "piaa.adapters.base",
    "piaa.adapters.prediction",
    "piaa.ratings.files",
    "piaa.ratings.locate",
    "piaa.ratings.table",
    "piaa.ratings.scale",
    "piaa.commands.options",
    "piaa.commands.progress",
    "piaa.commands.terminal",
)
"""All that the protocols may know of piaa: what an adapter is, what ratings are and which files they mean,
how files of rows are read (labels of datasets and gaze come in the same formats as ratings, and one reader
counts lines and collects bad rows), and what all commands share."""
OUTSIDE = ("benchmarks", "tests")
MIRRORED = ("benchmarks", "generic", "piaa", "protocols")
"""Folders whose tests lie in a folder of the same name below tests/; its top tests the whole."""
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
            from piaa.ratings.rows import check_rows
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
        "protocols/splits/split.py:6: protocols imports piaa.ratings.rows.check_rows",
        "protocols/splits/split.py:7: protocols imports piaa.adapters.registry.ADAPTERS",
        "protocols/splits/split.py:8: protocols imports piaa",
        "protocols/splits/split.py:9: protocols imports cli",
        "piaa/demo/run.py:3: piaa imports protocols.splits.split",
        "generic/cache/features.py:4: generic imports piaa.ratings.scale.Scale",
        "generic/lite/piaa_lite.py:1: generic imports benchmarks.train",
    ]


def modules(root: Path) -> dict[str, Path]:
    """Every module of a tree laid out like this one, by its dotted name; a package is named by its folder."""
    files = [root / "cli.py", *(path for layer in LAYERS[1:] for path in (root / layer).rglob("*.py"))]
    names = {path: path.relative_to(root).with_suffix("").parts for path in files}
    return {".".join(parts).removesuffix(".__init__"): path for path, parts in names.items()}


def arrows(root: Path) -> set[tuple[str, str]]:
    """(importer, imported) for every pair of modules, imports for types alone and late ones included."""
    known = modules(root)
    found = set()
    for importer, path in known.items():
        for _, name in imports(path, root):
            imported = name if name in known else name.rpartition(".")[0]
            if imported in known and imported != importer:
                found.add((importer, imported))
    return found


def circles(arrows: set[tuple[str, str]]) -> list[list[str]]:
    """What can be reached from itself: each strongly connected part with more than one member."""
    places = {name: i for i, name in enumerate(sorted({name for arrow in arrows for name in arrow}))}
    matrix = np.zeros((len(places), len(places)))
    for importer, imported in arrows:
        matrix[places[importer], places[imported]] = 1
    n_parts, part_of = connected_components(csr_array(matrix), connection="strong")
    parts = [[name for name, i in places.items() if part_of[i] == part] for part in range(n_parts)]
    return sorted(part for part in parts if len(part) > 1)


def folder_arrows(arrows: set[tuple[str, str]], packages: set[str]) -> set[tuple[str, str]]:
    """The arrows between sibling folders, each with all that is below it; a parent's own files do not count.

    An arrow between a folder and its parent is none between siblings.
    """
    found = set()
    for importer, imported in arrows:
        ends = [
            name.split(".") if name in packages else name.split(".")[:-1] for name in (importer, imported)
        ]
        depth = next((i for i, (a, b) in enumerate(zip(*ends, strict=False)) if a != b), None)
        if depth is not None:
            found.add((".".join(ends[0][: depth + 1]), ".".join(ends[1][: depth + 1])))
    return found


def packages(root: Path) -> set[str]:
    return {name for name, path in modules(root).items() if path.name == "__init__.py"}


def test_no_module_imports_itself_by_way_of_others():
    assert circles(arrows(ROOT)) == []


def test_folders_do_not_import_each_other_in_circles():
    assert circles(folder_arrows(arrows(ROOT), packages(ROOT))) == []


def test_circles_are_found(tmp_path):
    sources = {
        "cli.py": "",
        "piaa/__init__.py": "",
        "piaa/store/__init__.py": "",
        "piaa/store/file.py": "if TYPE_CHECKING:\n    import piaa.people.person",
        "piaa/store/versions.py": "",
        "piaa/people/__init__.py": "",
        "piaa/people/person.py": "def late():\n    from piaa.people import model",
        "piaa/people/model.py": "from piaa.people.person import P\nfrom piaa.people.deep.scores import x",
        "piaa/people/deep/__init__.py": "",
        "piaa/people/deep/scores.py": "from piaa.store.versions import y\nfrom piaa.people import table",
        "piaa/people/table.py": "",
    }
    for name, source in sources.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(source)
    found = arrows(tmp_path)
    assert circles(found) == [["piaa.people.model", "piaa.people.person"]]
    # store -> people.person and people.deep -> store.rows: no circle of modules, but one of folders; that
    # people and its own child import each other is none.
    assert circles(folder_arrows(found, packages(tmp_path))) == [["piaa.people", "piaa.store"]]


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


def strays(root: Path) -> list[str]:
    """Test files not named ``test_<module>[_aspect].py`` for a module or package of the mirrored folder."""
    found = []
    for top in MIRRORED:
        for file in sorted((root / "tests" / top).rglob("test_*.py")):
            folder = root / file.parent.relative_to(root / "tests")
            subjects = {path.stem for path in folder.glob("*.py")} | {
                path.parent.name for path in folder.glob("*/__init__.py")
            }
            if not any(f"{file.stem}_".startswith(f"test_{name}_") for name in subjects):
                found.append(file.relative_to(root).as_posix())
    return found


def test_test_files_mirror_modules():
    assert strays(ROOT) == []


def test_a_test_file_that_mirrors_nothing_is_found(tmp_path):
    files = (
        *("generic/seeds.py", "generic/cache/__init__.py", "piaa/people/person.py", "benchmarks/record.py"),
        *("tests/test_whole.py", "tests/generic/test_seeds.py", "tests/generic/test_seeds_of_people.py"),
        *("tests/generic/test_cache.py", "tests/benchmarks/test_record.py"),
        *("tests/generic/test_seedsman.py", "tests/piaa/test_person.py", "tests/piaa/persons/test_person.py"),
    )
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert strays(tmp_path) == [
        "tests/generic/test_seedsman.py",
        "tests/piaa/persons/test_person.py",
        "tests/piaa/test_person.py",
    ]
