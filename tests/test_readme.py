"""The README and the other documents say what is so: commands parse, code runs, links lead somewhere."""

from __future__ import annotations

import ast
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from cli import app
from generic.model.checkpoint import read_header
from generic.model.registry import find_model

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SHELL = {"console", "sh", "bash", "shell", ""}
BLOCK = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```\s*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)[^)]*\)")
UsageError = typer.BadParameter.__base__  # of click, or of the copy of it that newer typer brings along
SEPARATORS = {"&&", "||", ";", "|", "&"}


def blocks(text: str, languages: set[str]) -> list[str]:
    return [content for language, content in BLOCK.findall(text) if language in languages]


def commands(text: str) -> list[list[str]]:
    """Every command of the fenced shell blocks, as words; of a session with prompts only what was typed."""
    found: list[list[str]] = []
    for content in blocks(text, SHELL):
        lines = content.replace("\\\n", " ").splitlines()
        typed = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")] or lines
        for line in typed:
            lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
            lexer.whitespace_split = True
            words: list[str] = []
            for word in [*lexer, ";"]:
                if word not in SEPARATORS:
                    words.append(word)
                elif words:
                    found.append(words)
                    words = []
    return found


def inner(words: list[str]) -> list[str]:
    """The program that `VARIABLE=value uv run --options program ...` starts, with its arguments."""
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    if words[:2] != ["uv", "run"]:
        return words
    words = words[2:]
    while words and words[0].startswith("-"):
        takes_value = words[0] in ("--group", "--extra", "--python", "--with", "--only-group")
        words = words[2 if takes_value else 1 :]
    return words


def parse(words: list[str]) -> str:
    """What the command line makes of the arguments, without running anything: the commands' names."""
    command = typer.main.get_command(app)
    context, names = None, []
    while True:
        try:
            context = command.make_context(words[0], list(words[1:]), parent=context)
        except typer.Exit:  # after --help
            return " ".join([*names, "--help"])
        names.append(words[0])
        if not hasattr(command, "commands"):
            return " ".join(names)
        # What a group has not used are its subcommand's words.
        words = [*getattr(context, "_protected_args", []), *context.args]
        assert words, f"{' '.join(names)} needs a command"
        assert words[0] in command.commands, f"{' '.join(names)} has no command {words[0]!r}"
        command = command.commands[words[0]]


def check(words: list[str]) -> None:
    """Fails if the command could not be what its writer meant."""
    program, *rest = inner(words)
    if program == "piaa":
        parse(["piaa", *rest])
    elif program in ("python", "python3") and rest and rest[0].endswith(".py"):
        assert (ROOT / rest[0]).is_file(), f"there is no script {rest[0]}"
    elif program == "pytest":
        assert all((ROOT / word.split("::")[0]).exists() for word in rest if word.startswith("tests"))
    elif words[:2] == ["uv", "run"]:
        assert program in ("ruff", "mypy", "python"), f"uv run {program} is not known here"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_are_real(document):
    for words in commands(document.read_text(encoding="utf-8")):
        try:
            check(words)
        except UsageError as error:
            pytest.fail(f"{document.name}: {shlex.join(words)}: {error.format_message()}")


def test_readme_shows_the_two_commands_that_matter():
    given = [inner(words) for words in commands(DOCUMENTS[0].read_text(encoding="utf-8"))]
    assert ["piaa", "demo"] in given
    assert ["pytest"] in given
    names = {parse(words) for words in given if words[0] == "piaa"}
    assert {"piaa demo", "piaa fit-user", "piaa score"} <= names


@pytest.mark.parametrize(
    "line",
    [
        "piaa fit --user ana --ratings r.csv --images p",
        "piaa fit-user --user ana --ratings r.csv --images p --scale 1",
        "$ piaa score photos --user ana --topmost 3",
        "pip install uv && uv run piaa user list",
        "uv run --group train python benchmarks/nothing.py",
        "PIAA_STORE=x piaa users show",
        "piaa cache",
    ],
)
def test_a_wrong_command_would_be_found(line):
    (words,) = [words for words in commands(f"```console\n{line}\n```\n") if "install" not in words]
    with pytest.raises((UsageError, AssertionError)):
        check(words)


def test_right_commands_are_understood():
    text = "```sh\nPIAA_STORE=x uv run piaa score a/ -u ana \\\n --top 3 | head # 3\npiaa users --help\n```\n"
    assert [inner(words) for words in commands(text)] == [
        ["piaa", "score", "a/", "-u", "ana", "--top", "3"],
        ["head"],
        ["piaa", "users", "--help"],
    ]
    assert parse(["piaa", "score", "a/", "-u", "ana", "--top", "3"]) == "piaa score"
    assert parse(["piaa", "users", "--help"]) == "piaa --help"


# The Python of serve.md needs a server: tests/piaa/server/test_client.py.
@pytest.mark.parametrize(
    "document",
    [document for document in DOCUMENTS if document.name != "serve.md"],
    ids=lambda path: path.name,
)
def test_python_runs(document, user_folders, album, names, ratings, monkeypatch, capsys):
    """In a folder with an album as photos/, ten ratings of it as ratings.csv, and a store of its own."""
    snippets = blocks(document.read_text(encoding="utf-8"), {"python"})
    if document.name == "README.md":
        assert snippets
    shutil.copytree(album, user_folders / "photos")
    shutil.copy(album / names[-1], user_folders / "photos" / "new.jpg")  # which nobody rated
    monkeypatch.chdir(user_folders)
    for number, snippet in enumerate(snippets, 1):
        code = compile(ast.parse(snippet), f"{document.name}, Python block {number}", "exec")
        exec(code, {"__name__": "__readme__"})


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    text = document.read_text(encoding="utf-8")
    missing = [link for link in LINK.findall(text) if not (document.parent / link).exists()]
    assert missing == []


def test_ci_calls_the_tests_as_the_readme_does():
    command = "pip install uv && uv run --group dev pytest"
    assert command in (ROOT / "README.md").read_text()
    assert command in (ROOT / ".ci" / "run").read_text().splitlines()


def test_the_tables_are_those_of_the_measurements():
    check = [sys.executable, ROOT / "benchmarks" / "report.py", "--check"]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_shipped_model_says_what_was_measured():
    """To a training's noise: the file stays as it is when models like it are trained and measured again."""
    header, noise = read_header(find_model()), {"srcc": 0.003, "plcc": 0.003, "coverage": 0.03}
    results = ROOT / "benchmarks" / "results"
    found = json.loads((results / "lite3_paired.json").read_text())
    for name, figures in found["left_out"].items():
        said, measured = header.figures[f"{name}, auto k=10"], figures["auto"]["10"]
        for key in ("srcc", "coverage"):
            assert said[key] == pytest.approx(measured[key], abs=noise[key])
        assert said["users"] == measured["users"]
        assert said["srcc"] > header.figures[f"{name}, generic k=10"]["srcc"]
    for number in range(3):
        said = header.figures[f"list {number + 1}, generic score against the mean of raters"]
        assert said.keys() == {"srcc", "plcc"}
        for key, value in said.items():
            assert value == pytest.approx(found["generic"]["after"][key][number], abs=noise[key])
