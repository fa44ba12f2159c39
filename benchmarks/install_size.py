"""What an install takes: seconds from nothing to the first ranking, and megabytes; the core, and everything.

    uv run python benchmarks/install_size.py

Each in a new environment and with no package in any cache, as the README's first command does it: `uv`
fetches the packages of a clone, and `piaa demo` renders an album, learns a person and ranks the rest. Seconds
depend on the network and the disk, so both installs are measured in one run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from record import table, tell, write_result

ROOT = Path(__file__).resolve().parents[1]
INSTALLS = {"core": [], "all": ["--extra", "all"]}


def main() -> None:
    """Measures both and writes the result."""
    figures = {name: measure(options) for name, options in INSTALLS.items()}
    write_result(
        "install_size",
        "uv run python benchmarks/install_size.py",
        {**figures, "markdown": markdown(figures)},
    )


def markdown(figures: dict[str, dict[str, Any]]) -> str:
    """The README's table."""
    rows = [
        [
            name,
            f"{one['packages']}",
            f"{one['megabytes']:,.0f} MB",
            f"{one['install_seconds']:.0f} s",
            f"{one['seconds']:.0f} s",
        ]
        for name, one in zip(("rank: the core", "train: everything"), figures.values(), strict=True)
    ]
    return table(["install", "packages", "on disk", "installed after", "first ranking after"], rows)


def measure(options: list[str]) -> dict[str, Any]:
    """One install with uv's options, in a temporary folder that is removed."""
    tell(f"installing {' '.join(['the core', *options])}")
    with tempfile.TemporaryDirectory(prefix="piaa-install-") as name:
        folder = Path(name)
        environment = {
            key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")
        }
        environment |= {
            "UV_PROJECT_ENVIRONMENT": str(folder / "environment"),
            "UV_CACHE_DIR": str(folder / "cache"),
            "PIAA_CACHE_DIR": str(folder / "vectors"),
            "PIAA_STORE": str(folder / "piaa.db"),
        }
        uv = [os.environ.get("UV") or shutil.which("uv") or "uv", "run", "--project", str(ROOT), *options]
        begin = time.perf_counter()
        run([*uv, "piaa", "--version"], folder, environment)
        installed = time.perf_counter()
        run([*uv, "piaa", "demo"], folder, environment)
        end = time.perf_counter()
        shutil.rmtree(folder / "cache")
        listed = [uv[0], "pip", "list", "--python", str(folder / "environment"), "--format", "freeze"]
        return {
            "seconds": end - begin,
            "install_seconds": installed - begin,
            "megabytes": size(folder / "environment") / 1e6,
            "packages": len(run(listed, folder, environment).splitlines()),
        }


def run(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    """What a command printed; it must succeed."""
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed: {done.stderr[-2000:]}")
    return done.stdout


def size(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


if __name__ == "__main__":
    main()
