"""A plain install, from the folder of the clone into an environment of its own, and the demo from another."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
UV = os.environ.get("UV") or shutil.which("uv")
PINS = ("-c", str(ROOT / "constraints.txt"))
SCRIPTS = "Scripts" if sys.platform == "win32" else "bin"


def run(*command: str | Path, folder: Path, **variables: str) -> str:
    hidden = ("PYTHONPATH", "VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT")
    environment = {key: value for key, value in os.environ.items() if key not in hidden} | variables
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=580)
    assert done.returncode == 0, done.stderr
    return done.stdout


def pip(folder: Path) -> Path:
    run(sys.executable, "-m", "venv", "environment", folder=folder)
    home = folder / "environment" / SCRIPTS
    run(home / "python", "-m", "pip", "install", "--quiet", *PINS, str(ROOT), folder=folder)
    return home / "piaa"


def uv_tool(folder: Path) -> Path:
    if UV is None:
        pytest.skip("uv is not installed")
    homes = {"UV_TOOL_DIR": str(folder / "tools"), "UV_TOOL_BIN_DIR": str(folder / "bin")}
    run(UV, "tool", "install", "--quiet", *PINS, str(ROOT), folder=folder, **homes)
    return folder / "bin" / "piaa"


@pytest.mark.slow
@pytest.mark.parametrize("install", [pip, uv_tool])
def test_an_installed_core_runs_the_demo_from_any_folder(install, user_folders, monkeypatch):
    elsewhere = user_folders / "elsewhere"
    elsewhere.mkdir()
    command = install(user_folders)
    made = json.loads(run(command, "demo", "--json", folder=elsewhere))
    assert made["n_ranked"] == 70
    assert (elsewhere / "piaa-demo" / "wall" / "index.html").is_file()
    folders = [path.parent for path in user_folders.rglob("onnxruntime/__init__.py")]
    assert len(folders) == 1
    assert not (folders[0].parent / "torch").exists()
