"""Every row of the golden files beside this one: what a person did, and what is printed, to the character."""

from __future__ import annotations

import difflib
import inspect
import os
import re
import shlex
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from generic.model.checkpoint import read_header

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "bad-input.md"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of a golden file, what its file says of ``every`` row put in."""

    file: str
    what: str
    """What was wrong."""
    command: str
    printed: str
    """On stderr, or on stdout where that is empty. `…` stands for words of a library, MODEL and OTHER for the
    first 8 digits of the hashes of two models, FOLDER for the folder in which the commands run."""
    exit_code: int = 1
    every: Mapping[str, str] = field(default_factory=dict)
    """Files that are there before the ``first`` commands."""
    first: Sequence[str] = ()
    """Commands that went well before."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Files written after them; a name that ends in / is an empty folder."""
    append: Mapping[str, str] = field(default_factory=dict)
    """Lines written at the end of files."""
    given: str | None = None
    """What else is prepared: a fixture of conftest.py."""
    ordinary_user: bool = False
    """Root runs the command as somebody whom permissions stop."""
    same_output_as: str | None = None
    """A command whose stdout is the same, for that is what the person is told."""
    leaves: Sequence[str] = ()
    """Patterns of the names of all that is new or changed afterwards; each fits one at least."""


def read(path: Path) -> list[Row]:
    """The rows of one golden file, in its order."""
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    every = content.pop("every", {})
    common: dict[str, Any] = {"file": path.name, "every": every.pop("files", {}), **every}
    return [Row(what=what, **(common | row)) for what, row in content.items()]


ROWS = [row for path in sorted(HERE.glob("*.toml")) for row in read(path)]


def write(folder: Path, files: Mapping[str, str], mode: str = "w") -> None:
    for name, text in files.items():
        path = folder / name
        home = path if name.endswith("/") else path.parent
        home.mkdir(parents=True, exist_ok=True)
        if path != home:
            with path.open(mode, encoding="utf-8") as file:
                file.write(text)


def words(command: str) -> list[str]:
    program, *rest = shlex.split(command)
    assert program == "piaa"
    return rest


def contents(folder: Path) -> dict[str, bytes | None]:
    """All files and folders, but for the cache, which even an error may have filled."""
    names = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    kept = {name: path for name, path in names.items() if not re.search("^cache|/piaa-features", name)}
    return {name: path.read_bytes() if path.is_file() else None for name, path in kept.items()}


def changes(before: Mapping[str, bytes | None], after: Mapping[str, bytes | None]) -> list[str]:
    """What is new, gone or different."""
    return sorted(name for name in {*before, *after} if before.get(name, b"none") != after.get(name, b"none"))


def prepare(row: Row, place: Path, piaa: Callable, request: pytest.FixtureRequest) -> None:
    write(place, row.every)
    for command in row.first:
        assert piaa(*words(command)).exit_code == 0
    write(place, row.files)
    write(place, row.append, mode="a")
    if row.given:
        request.getfixturevalue(row.given)
    if row.ordinary_user and os.geteuid() == 0 and (place / "piaa.db").exists():
        os.chown(place / "piaa.db", 65534, 65534)  # it is for its owner alone: for nobody


def shown(row: Row, result: Any, place: Path) -> str:
    """What was printed, in the words of the golden files."""
    lines = (result.stderr or result.stdout).splitlines()
    if row.exit_code:
        assert "" in (result.stdout, result.stderr)
    if row.exit_code and result.stderr:
        # A training first says what it trains on and where; its error is the last line.
        *told, error = lines
        assert told == [] or row.command.startswith("piaa pretrain ")
        assert [line for line in told if line.startswith("piaa: ")] == []
        lines = [error]
    text = "\n".join(lines).replace(str(place), "FOLDER")
    for model, name in ((place / "model.safetensors", "MODEL"), (place / "other.safetensors", "OTHER")):
        if model.exists():
            text = text.replace(read_header(model).hash[:8], name)
    return text


def difference(recorded: str, printed: str) -> str:
    """Empty if the two are the same but for what `…` stands for; else the lines that differ."""
    if re.fullmatch(re.escape(recorded).replace("…", ".+"), printed):
        return ""
    lines = difflib.ndiff(recorded.splitlines(), printed.splitlines())
    return "\n".join(line.rstrip() for line in lines)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.what)
def test_row(
    row: Row,
    place: Path,
    piaa: Callable,
    ordinary_user: Callable[[], AbstractContextManager[None]],
    request: pytest.FixtureRequest,
):
    prepare(row, place, piaa, request)
    same = piaa(*words(row.same_output_as)) if row.same_output_as else None
    before = contents(place)
    with ordinary_user() if row.ordinary_user else nullcontext():
        result = piaa(*words(row.command))
    differs = difference(row.printed.rstrip("\n"), shown(row, result, place))
    if differs:
        pytest.fail(f"{row.file}, {row.what!r}: - is recorded, + is printed\n{differs}", pytrace=False)
    assert result.exit_code == row.exit_code
    assert same is None or result.stdout == same.stdout
    changed = changes(before, contents(place))
    assert [name for name in changed if not any(fnmatch(name, pattern) for pattern in row.leaves)] == []
    assert [pattern for pattern in row.leaves if not any(fnmatch(name, pattern) for name in changed)] == []


def test_no_row_stands_twice():
    assert [what for what, n in Counter(row.what for row in ROWS).items() if n > 1] == []


def test_everything_prepared_is_for_a_row(request):
    (conftest,) = [
        plugin
        for plugin in request.config.pluginmanager.get_plugins()
        if getattr(plugin, "__file__", None) == str(HERE / "conftest.py")
    ]
    fixtures = re.findall(r"^@pytest\.fixture\ndef (\w+)", inspect.getsource(conftest), re.MULTILINE)
    assert set(fixtures) - {"place"} == {row.given for row in ROWS if row.given}


def test_the_page_shows_rows_of_the_golden_files():
    text = PAGE.read_text(encoding="utf-8")
    examples = re.findall(r"^\$ (.+)\n((?:(?!\$ |```).*\n)*)", text, re.MULTILINE)
    recorded = {(row.command, row.printed.rstrip("\n")) for row in ROWS}
    assert len(examples) >= 5
    assert [command for command, printed in examples if (command, printed.rstrip()) not in recorded] == []


def test_a_difference_is_shown_to_the_character():
    assert difference("piaa: it is … high; 3", "piaa: it is 2 cm high; 3") == ""
    assert difference("piaa: none", "piaa: none.").splitlines() == [
        "- piaa: none",
        "+ piaa: none.",
        "?           +",
    ]
