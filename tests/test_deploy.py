"""What the container, compose and unit files name exists; they are neither built nor started here."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from cli import app

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"


def options_of_serve() -> set[str]:
    command = get_command(app).commands["serve"]
    return {name for one in command.params for name in one.opts}


def instructions() -> list[tuple[str, str]]:
    lines = [line for line in (DEPLOY / "Dockerfile").read_text().splitlines() if line and line[0] != "#"]
    return [tuple(line.split(" ", 1)) for line in lines]


def unit_start() -> list[str]:
    return shlex.split(re.search(r"^ExecStart=(.*)$", (DEPLOY / "piaa.service").read_text(), re.M)[1])


def container_start() -> list[str]:
    return json.loads(next(rest for word, rest in instructions() if word == "CMD"))


def test_every_file_that_the_container_copies_exists():
    copied = [name for word, rest in instructions() if word == "COPY" for name in rest.split()[:-1]]
    assert {"pyproject.toml", "constraints.txt", "cli.py", "generic", "piaa", "protocols"} <= set(copied)
    for name in copied:
        assert (ROOT / name).exists(), name


def test_the_container_has_the_extras_of_a_server_with_postgres():
    installs = [rest for word, rest in instructions() if word == "RUN" and "pip install" in rest]
    (extras,) = re.findall(r"'\.\[([\w,]+)\]'", " ".join(installs))
    assert {"serve", "postgres"} <= set(extras.split(","))


def test_the_container_runs_as_a_user_of_its_own_and_is_asked_whether_it_is_ready():
    found = dict(instructions())
    assert found["USER"] == "1000"  # a number, so that a host without that name can tell it is not root
    assert any("useradd" in rest and "--uid 1000" in rest for word, rest in instructions() if word == "RUN")
    assert "/ready" in found["HEALTHCHECK"]
    json.loads(found["HEALTHCHECK"].partition(" CMD ")[2])


@pytest.mark.parametrize("start", [unit_start, container_start])
def test_the_command_that_is_started_has_these_options(start):
    words = start()
    words = words[words.index("piaa") :]
    assert words[1] == "serve"
    given = {word for word in words if word.startswith("--")}
    assert given <= options_of_serve(), given


def test_compose_names_what_exists():
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services = compose["services"]
    build = services["piaa"]["build"]
    context = (DEPLOY / build["context"]).resolve()
    assert context == ROOT
    assert (context / build["dockerfile"]).is_file()
    for service in services.values():
        assert set(service.get("depends_on", {})) <= set(services)
        for volume in service.get("volumes", []):
            assert volume.partition(":")[0] in compose["volumes"]
    assert services["piaa"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert "healthcheck" in services["postgres"]
    # What is published is the port that the container listens on, on loopback alone.
    port = container_start()[container_start().index("--port") + 1]
    assert services["piaa"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert services["piaa"]["environment"]["PIAA_STORE"].startswith("postgresql://piaa:")


@pytest.mark.parametrize(
    "command", [["hadolint", "deploy/Dockerfile"], ["systemd-analyze", "verify", "deploy/piaa.service"]]
)
def test_linters_find_nothing(command):
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
