"""The steps of the container file, run here in an environment of their own, as root and as a plain user."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="the container is Linux")]
ROOT = Path(__file__).parents[1]
PLAIN = "nobody"


def instructions() -> list[tuple[str, str]]:
    lines = (ROOT / "deploy" / "Dockerfile").read_text().splitlines()
    return [tuple(line.split(" ", 1)) for line in lines if line and line[0] != "#"]


def container_start() -> list[str]:
    return json.loads(next(rest for word, rest in instructions() if word == "CMD"))


def python_for_all() -> str | None:
    """An interpreter that a plain user may run too; a test's own may lie in somebody's home."""
    check = [sys.executable, "/usr/bin/python3"]
    if os.getuid() != 0:
        return sys.executable
    for python in check:
        command = [python, "-c", "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))"]
        try:
            done = subprocess.run(command, user=PLAIN, cwd="/", capture_output=True, check=False)
        except OSError:
            continue
        if done.returncode == 0:
            return python
    return None


@pytest.fixture(scope="module")
def installed():
    """What the container file copies, and an environment in which its last RUN was run."""
    python = python_for_all()
    with tempfile.TemporaryDirectory(prefix="piaa-container-") as folder:
        home = Path(folder)
        home.chmod(0o755)  # a plain user reads it too
        source, environment = home / "src", home / "env"
        source.mkdir()
        for word, rest in instructions():
            if word == "COPY":
                *names, target = rest.split()
                for name in names:
                    place = source / (name if target.endswith("/") else target)
                    copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
                    copy(ROOT / name, place)
        subprocess.run([python or sys.executable, "-m", "venv", environment], check=True)
        pip = next(rest for word, rest in instructions() if word == "RUN" and rest.startswith("pip "))
        path = {**os.environ, "PATH": f"{environment}/bin:/usr/bin:/bin"}
        subprocess.run(pip, shell=True, cwd=source, check=True, env=path)
        yield home, environment


@pytest.mark.parametrize("user", ["root", PLAIN])
def test_the_server_starts_and_is_ready(installed, user):
    if user == "root" and os.getuid() != 0:
        pytest.skip("this is no root")
    if user == PLAIN and python_for_all() is None:
        pytest.skip("no Python here that a plain user may run")
    home, environment = installed
    data = home / f"home-of-{user}"
    data.mkdir()
    options = {"cwd": data, "env": surroundings(environment, data)}
    if user == PLAIN and os.getuid() == 0:
        shutil.chown(data, PLAIN)
        options["user"] = PLAIN
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    keys = [environment / "bin/piaa", "keys", "create", "--role", "admin"]
    key = subprocess.run(keys, capture_output=True, text=True, check=True, **options).stdout.strip()
    assert key.startswith("piaa_")
    start = [word.replace("8000", str(port)) for word in container_start()]
    with (home / f"log-of-{user}").open("wb") as log:
        server = subprocess.Popen(
            [environment / "bin" / start[0], *start[1:]], stdout=log, stderr=log, **options
        )
    try:
        check = next(rest for word, rest in instructions() if word == "HEALTHCHECK")
        url = re.search(r"http://[\d.]+:\d+/ready", check)[0].replace("8000", str(port))
        assert wait_for(url, server, Path(log.name)) == 200
        store = data / "piaa.db"
        assert (store.stat().st_mode & 0o777, store.owner()) == (0o600, user)
        # The core runs the network: no torch is in there.
        assert not list(environment.glob("lib/python*/site-packages/torch"))
    finally:
        server.terminate()
        server.wait(timeout=60)


def surroundings(environment: Path, data: Path) -> dict[str, str]:
    return {
        "PATH": f"{environment}/bin:/usr/bin:/bin",
        "HOME": str(data),
        "PIAA_STORE": str(data / "piaa.db"),
        "PIAA_CACHE_DIR": str(data / "cache"),
    }


def wait_for(url: str, server: subprocess.Popen, log: Path) -> int:
    for _ in range(600):
        if server.poll() is not None:
            raise AssertionError(log.read_text())
        try:
            with urllib.request.urlopen(url) as answer:
                return answer.status
        except OSError:
            time.sleep(0.1)
    raise AssertionError("never ready")
