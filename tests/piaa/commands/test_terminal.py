"""What every command has in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from cli import app


def number_options() -> Iterator[tuple[list[str], Any, Any]]:
    """Every option of every command that takes numbers with a fraction, with the words before it."""
    waiting: list[tuple[list[str], Any]] = [([], typer.main.get_command(app))]
    while waiting:
        words, command = waiting.pop()
        waiting += [([*words, name], one) for name, one in getattr(command, "commands", {}).items()]
        for option in command.params:
            if "float" in str(option.type_descriptor):
                yield words, command, option


@pytest.mark.parametrize(
    ("words", "command", "option"),
    [pytest.param(*one, id=f"{' '.join(one[0])} {one[2].opts[0]}") for one in number_options()],
)
@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
def test_no_option_takes_what_is_no_finite_number(words, command, option, number):
    needed: list[str] = []
    for one in command.params:
        if one.required and one is not option:
            needed += [one.opts[0], "1"] if one.param_type_name == "option" else ["1"]
    name = option.opts[0]
    done = CliRunner().invoke(app, [*words, *needed, name, *["1"] * (option.nargs - 1), number])
    assert done.exit_code == 2, done.output
    last = done.stderr.splitlines()[-1]
    smaller = f"Error: Invalid value for '{name}': Input should be greater than or equal to {option.min}"
    assert last in (f"Error: Invalid value: {name} takes a finite number, not {number}", smaller)


def test_a_person_is_told_so_in_one_line(tmp_path):
    done = CliRunner().invoke(app, ["suggest", str(tmp_path), "--ask", "both", "--rating-seconds", "inf"])
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1] == (
        "Error: Invalid value: --rating-seconds takes a finite number, not inf"
    )
