"""Wheels for every platform and Python that we name, and nothing at import that only Unix has."""

from __future__ import annotations

import os
import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import generic
import piaa
import protocols
from generic.extras import PACKAGES

ROOT = Path(__file__).resolve().parents[1]
PLATFORMS = (
    "x86_64-pc-windows-msvc",
    "aarch64-apple-darwin",
    "x86_64-manylinux_2_28",
    "aarch64-manylinux_2_28",
)
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
UV = os.environ.get("UV") or shutil.which("uv")


@pytest.mark.slow
@pytest.mark.skipif(UV is None, reason="uv is not installed")
@pytest.mark.parametrize("extra", [None, "all"], ids=["core", "all"])
@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("python", PYTHONS)
def test_every_package_has_a_wheel(extra, platform, python):
    """Of the versions that are pinned."""
    command = [UV, "pip", "compile", "--quiet", "--only-binary", ":all:", "pyproject.toml"]
    command += ["--python-platform", platform, "--python-version", python]
    command += [] if extra is None else ["--extra", extra]
    environment = {**os.environ, "MACOSX_DEPLOYMENT_TARGET": "14.0"}  # what ONNX Runtime's wheels ask for
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "onnxruntime==" in done.stdout
    assert ("torch==" in done.stdout) == (extra == "all")


EXTRAS = sorted(module for modules in PACKAGES.values() for module in modules)
UNIX = ("fcntl", "grp", "posix_ipc", "pty", "pwd", "resource", "syslog", "termios", "tty")
OF_OS = ("fork", "geteuid", "getuid", "getpgid", "killpg", "mkfifo", "sched_getaffinity", "setsid", "sysconf")
OF_SIGNAL = ("SIGHUP", "SIGKILL", "SIGUSR1", "SIGQUIT", "SIGALRM", "pthread_sigmask")
PROGRAM = f"""
import importlib, os, signal, sys
from importlib.machinery import PathFinder
# What others import is theirs to get right on Windows.
import numpy, onnxruntime, pandas, PIL.Image, platformdirs, rich.console, rich.progress, safetensors.numpy
import scipy.stats, sklearn.linear_model, sqlite3, subprocess, tempfile, threadpoolctl, typer

class Windows(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.split(".")[0] in {EXTRAS!r} else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Windows
for name in {UNIX!r}:
    sys.modules[name] = None
for module, names in ((os, {OF_OS!r}), (signal, {OF_SIGNAL!r})):
    for name in names:
        if hasattr(module, name):
            delattr(module, name)

from generic.errors import MissingPackage
from generic.extras import needing

left_out = []
for name in sys.argv[1:]:
    try:
        with needing(name):
            importlib.import_module(name)
    except MissingPackage:
        left_out.append(name)
print(len(left_out))
"""


def modules() -> list[str]:
    names = ["cli"]
    for package in (generic, piaa, protocols):
        names += [found.name for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    return [name for name in names if not name.startswith("piaa.store.migrations.versions.")]


def test_nothing_of_the_core_imports_what_only_unix_has():
    command = [sys.executable, "-c", PROGRAM, *modules()]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) < len(modules()) / 2


def test_an_import_of_fcntl_would_be_found(tmp_path):
    (tmp_path / "unix_only.py").write_text("import fcntl\n")
    command = [sys.executable, "-c", PROGRAM, "unix_only"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(tmp_path)))}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 1
    assert "import of fcntl halted" in done.stderr
