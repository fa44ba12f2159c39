"""What the core does alone: each of its commands where no package of an extra can be imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from typer.main import get_command

from cli import app
from generic.extras import PACKAGES
from piaa.commands.terminal import name_of

ROOT = Path(__file__).resolve().parents[1]
HIDDEN = sorted(module for modules in PACKAGES.values() for module in modules)
HIDE = f"""
import sys
from importlib.machinery import PathFinder

class Core(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.split(".")[0] in {HIDDEN!r} else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Core
"""
"""Begins a program to which the packages of the extras look as if they were not installed."""
COMMAND_LINE = f"{HIDE}\nfrom cli import app\napp(prog_name='piaa')"


def run(folder: Path, *args: object, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """A command in a process of its own, in which every package of an extra is hidden."""
    command = [sys.executable, "-c", COMMAND_LINE, *map(str, args)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run(command, capture_output=True, cwd=folder, env=environment, timeout=300)


def output(folder: Path, *args: object) -> str:
    done = run(folder, *args)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@pytest.fixture(scope="module")
def home(tmp_path_factory, album, names) -> Path:
    """A folder with the album, ratings, comparisons, and ana, whom the packaged model was fitted for."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "photos").symlink_to(album)
    ratings = dict(zip(names, (5, 1, 4, 2, 3, 5, 2, 1), strict=False))
    rows = [f"{name},{score}" for name, score in ratings.items()]
    (folder / "ratings.csv").write_text("\n".join(("image,score", *rows)))
    (folder / "more.csv").write_text(f"image,score\n{names[8]},4\n")
    (folder / "pairs.csv").write_text(f"better,worse\n{names[0]},{names[1]}\n{names[2]},{names[3]}\n")
    (folder / "users.txt").write_text("cy\n")
    people = [f"{user},{name},{score}" for user in ("bo", "cy") for name, score in ratings.items()]
    (folder / "people").mkdir()
    for name in ("people.csv", "people/ratings.csv"):
        (folder / name).write_text("\n".join(("user,image,score", *people)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIAA_STORE", str(folder / "piaa.db"))
        patch.setenv("PIAA_CACHE_DIR", str(folder / "cache"))
        output(folder, "fit-user", "--user", "ana", "--ratings", "ratings.csv", "--images", "photos")
        yield folder


EVALUATE = "evaluate --dataset table --root . --ratings people.csv --images photos --repeats 1 --shots"
COMMANDS = {
    "fit": "fit-user --user dan --ratings ratings.csv --images photos --no-cache --json",
    "fit, ridge": "fit-user --user dor --ratings ratings.csv --images photos --adapter ridge",
    "add": "fit-user --user ana --ratings more.csv --images photos --add",
    "pairs": "fit-user --user eve --pairs pairs.csv --images photos",
    "score": "score photos --user ana",
    "score, json": "score photos --user ana --top 3 --json",
    "score to csv": "score photos --user ana --out scores.csv",
    "score to json": "score photos --user ana --out scores.json",
    "suggest": "suggest photos --user ana --out suggest.csv",
    "fit, again": "fit-user --user ana",
    "users list": "users list",
    "users history": "users history ana",
    "users versions": "users versions ana",
    "users show": "users show ana --json",
    "users export": "users export ana ana.piaa",
    "backup": "backup today.db",
    "keys list": "keys list --json",
    "keys audit": "keys audit --json",
    "models list": "models list",
    "models info": "models info --json",
    "cache info": "cache info",
    "data split": "data split table people --out split.json --test-users users.txt",
    "demo": "demo --json",
    "evaluate": f"{EVALUATE} 3",
    "help": "--help",
}


@pytest.mark.parametrize("line", COMMANDS.values(), ids=COMMANDS)
def test_a_command_of_the_core_needs_no_extra(home, line):
    assert output(home, *line.split()) != ""


def test_people_go_from_store_to_store(home, tmp_path):
    store = ("--store", tmp_path / "other.db")
    output(home, "users", "export", "ana", tmp_path / "ana.piaa")
    assert output(home, "users", "import", tmp_path / "ana.piaa", *store).startswith("imported ana")
    output(home, "users", "delete", "ana", "--yes", *store)
    assert "ana" not in output(home, "users", "list", *store)


def test_an_evaluation_leaves_its_plots_out_and_says_so_once(home):
    done = run(home, *EVALUATE.split(), "3,4", "--json")
    assert done.returncode == 0, done.stderr.decode()
    assert (
        done.stderr.decode().count("plots are left out: they need matplotlib, which is not installed; ") == 1
    )
    files = [Path(file).name for file in json.loads(done.stdout)["files"]]
    assert "users.parquet is left out: it needs pyarrow, which is not installed; " in done.stderr.decode()
    assert files[1:] == ["report.md", "report.tex", "report.bib", "report.csv", "report.json"]


def cure(module: str, extra: str) -> str:
    return (
        f"{module}, which is not installed; install it: pip install 'piaa[{extra}]'  "
        f"(in a clone: uv run --extra {extra} piaa ...)"
    )


EXTRAS = {
    "pretrain --dataset table --ratings people.csv --images photos --preset eat_tiny --out run": (
        "piaa pretrain",
        "torch",
        "train",
    ),
    "distill --teacher piaa-lite --images photos --preset eat_tiny --out run": (
        "piaa distill",
        "torch",
        "train",
    ),
    "meta-train --dataset table --ratings people.csv --images photos --algorithm anil --out s.safetensors": (
        "piaa meta-train",
        "torch",
        "train",
    ),
    "explain photos/photo-01.jpg --out why.png": ("piaa explain", "torch", "train"),
    "models convert ratings.csv --out x.safetensors": ("piaa models convert", "torch", "train"),
    "fit-user --user f --ratings ratings.csv --images photos --adapter lora": (
        "piaa fit-user",
        "torch",
        "train",
    ),
    "serve --no-keys --port 0": ("piaa serve", "prometheus_client", "serve"),
    "users list --store postgresql://nowhere/piaa": ("a store in PostgreSQL", "psycopg", "postgres"),
    "manifest photos --out m": ("piaa manifest", "pyarrow", "parquet"),
    "embed m --out v": ("piaa embed", "pyarrow", "parquet"),
    "status v": ("piaa status", "pyarrow", "parquet"),
    "fit-users ratings.parquet --vectors v --out f": ("piaa fit-users", "pyarrow", "parquet"),
    "rank --vectors v --users f --out b": ("piaa rank", "pyarrow", "parquet"),
    "score photos --user ana --out x.parquet": ("writing x.parquet", "pyarrow", "parquet"),
}


@pytest.mark.parametrize(("line", "missing"), EXTRAS.items(), ids=lambda one: str(one).split(" -")[0])
def test_a_command_that_needs_an_extra_says_which(home, line, missing):
    asked, module, extra = missing
    done = run(home, *line.split())
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode().splitlines()[-1] == f"piaa: {asked} needs {cure(module, extra)}"


def test_with_json_it_is_an_error_as_others_are(home):
    done = run(home, "users", "list", "--store", "postgresql://nowhere/piaa", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout) == {
        "error": f"a store in PostgreSQL needs {cure('psycopg', 'postgres')}",
        "kind": "MissingPackage",
        "problems": [],
    }


def test_a_public_name_that_needs_an_extra_says_which(home):
    program = HIDE + textwrap.dedent("""
        import piaa
        try:
            piaa.Client
        except piaa.MissingPackage as error:
            print(error)
    """)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert done.stdout == f"piaa.Client needs {cure('httpx', 'serve')}\n"


def leaves(command, words=()):
    if not hasattr(command, "commands"):
        yield " ".join(words), command.callback
        return
    for name, inner in command.commands.items():
        yield from leaves(inner, (*words, name))


def test_a_command_is_called_by_its_name():
    found = dict(leaves(get_command(app)))
    assert len(found) >= 25
    assert {name: name_of(callback) for name, callback in found.items()} == {name: name for name in found}
