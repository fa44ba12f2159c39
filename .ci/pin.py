"""Pins every package: writes constraints.txt, and the same lines as [tool.uv] constraint-dependencies.

Warnings are errors in the tests, so a release of anybody's could break them on any day. `uv run` obeys the
lines in pyproject.toml; pip takes the file (`pip install -c constraints.txt .`). Both hold names and versions
and no host, so they suit whichever index a machine is set up for; uv.lock does not, and is not kept.

    python .ci/pin.py    # the newest releases that pyproject.toml admits; then run the tests
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import tomllib
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^constraint-dependencies = \[.*?^\]\n", re.MULTILINE | re.DOTALL)
OWN = re.compile(r'^  "piaa\[[\w,]+\]",\n', re.MULTILINE)
"""A group that asks for our own extras, all of which are resolved anyway."""
CUDA = re.compile(r"nvidia-|cuda-|triton==")
"""What a build of torch pins by itself. Builds for another CUDA, or for none, need other versions."""


def with_pins(pyproject: str, pins: list[str]) -> str:
    """The text of pyproject.toml with these pins and no others; all else stays as it is."""
    lines = "".join(f'  "{pin}",\n' for pin in pins)
    head, table, tail = BLOCK.sub("", pyproject).partition("[tool.uv]\n")
    return f"{head}{table}constraint-dependencies = [  # by .ci/pin.py\n{lines}]\n{tail}"


def resolve(pyproject: str) -> list[str]:
    """One requirement a line: what all extras and groups need, on every platform and Python."""
    project = tomllib.loads(pyproject)
    groups = [f"--group={name}" for name in project["dependency-groups"]]
    python = project["project"]["requires-python"].removeprefix(">=")
    where = ["--universal", f"--python-version={python}", "--all-extras", *groups]
    bare = ["--quiet", "--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "pyproject.toml").write_text(OWN.sub("", with_pins(pyproject, [])), encoding="utf-8")
        command = [os.environ.get("UV", "uv"), "pip", "compile", "pyproject.toml", *where, *bare]
        done = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603
    return done.stdout.splitlines()


def to_pins(requirements: list[str]) -> list[str]:
    """Without the parts of CUDA; a marker is kept only where a package has several versions."""
    wanted = [line for line in requirements if not CUDA.match(line)]
    versions = Counter(line.partition("==")[0] for line in wanted)
    return [line if versions[line.partition("==")[0]] > 1 else line.partition(" ;")[0] for line in wanted]


def main() -> None:
    """Changes both files together."""
    path = ROOT / "pyproject.toml"
    pyproject = path.read_text(encoding="utf-8")
    pins = to_pins(resolve(pyproject))
    path.write_text(with_pins(pyproject, pins), encoding="utf-8", newline="\n")
    text = "\n".join(["# Written by .ci/pin.py; for pip install -c constraints.txt", *pins, ""])
    (ROOT / "constraints.txt").write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
