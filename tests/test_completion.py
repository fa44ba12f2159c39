"""Completion in the shell: what is offered, quickly, and what is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PIAA = "import sys; sys.argv[0] = 'piaa'; from cli import app; app()"


def run(*arguments: str, **environment: str) -> str:
    path = os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", ""))).rstrip(os.pathsep)
    done = subprocess.run(
        [sys.executable, "-c", PIAA, *arguments],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("piaa mod", ["models"]),
        ("piaa users r", ["restore", "refit"]),
        ("piaa score --us", ["--user"]),
        ("piaa fit-user --rep", ["--replace"]),
    ],
)
def test_commands_and_options_are_offered(typed, offered):
    words = {"COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
    assert run(**words, _PIAA_COMPLETE="complete_bash").split() == offered
    zsh = run(_TYPER_COMPLETE_ARGS=typed, _PIAA_COMPLETE="complete_zsh")
    assert all(f'"{word}"' in zsh for word in offered)


def test_it_is_installed_for_the_shell_at_hand(tmp_path):
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("needs bash")
    command = f'"{sys.executable}" -c "{PIAA}" --install-completion; true'
    path = os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", ""))).rstrip(os.pathsep)
    environment = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": path}
    done = subprocess.run(
        [bash, "-c", command], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    script = tmp_path / ".bash_completions" / "piaa.sh"
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f"bash completion installed in {script}\nCompletion will take effect once you restart the terminal\n"
    )
    assert str(script) in (tmp_path / ".bashrc").read_text()
    assert "complete -o default -F _piaa_completion piaa" in script.read_text()
