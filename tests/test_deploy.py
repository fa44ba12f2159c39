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
from piaa.server.described import OPEN

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
    environment = services["piaa"]["environment"]
    assert environment["PIAA_STORE"] == "postgresql://piaa@postgres/piaa"
    assert environment["PGPASSWORD"] == services["postgres"]["environment"]["POSTGRES_PASSWORD"]
    assert {"mem_limit", "pids_limit", "cap_drop", "security_opt", "ulimits"} <= set(services["piaa"])


def test_the_container_is_given_what_it_copies_and_nothing_else():
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    copied = {name for word, rest in instructions() if word == "COPY" for name in rest.split()[:-1]}
    assert lines[0] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == copied
    assert lines[-2:] == ["**/__pycache__", "**/*.py[cod]"]


def manifests() -> dict[str, dict]:
    """By kind, as they lie in the folder."""
    place = DEPLOY / "kubernetes"
    names = yaml.safe_load((place / "kustomization.yaml").read_text())["resources"]
    assert {path.name for path in place.iterdir()} == {*names, "kustomization.yaml"}
    found = [yaml.safe_load((place / name).read_text()) for name in names]
    return {one["kind"]: one for one in found}


def test_the_probes_of_a_pod_mean_what_kubernetes_means():
    (container,) = manifests()["Deployment"]["spec"]["template"]["spec"]["containers"]
    port = {one["name"]: one["containerPort"] for one in container["ports"]}
    assert port == {"http": int(container_start()[container_start().index("--port") + 1])}
    paths = {
        kind: container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")
    }
    # A store that is away makes a server unready; it must have none restarted.
    assert paths == {"startup": "/health", "liveness": "/health", "readiness": "/ready"}
    assert set(paths.values()) <= set(OPEN)
    for kind in paths:
        assert container[f"{kind}Probe"]["httpGet"]["port"] == "http"


def test_a_pod_has_limits_and_may_write_where_piaa_writes():
    pod = manifests()["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    words = container["args"]
    assert {word for word in words if word.startswith("--")} <= options_of_serve()
    assert set(container["resources"]) == {"requests", "limits"}
    mounted = {one["mountPath"]: one["name"] for one in container["volumeMounts"]}
    assert words[words.index("--cache") + 1] in mounted
    assert {"/tmp", dict(instructions())["WORKDIR"]} <= set(mounted)
    assert set(mounted.values()) == {one["name"] for one in pod["volumes"]}
    assert str(pod["securityContext"]["runAsUser"]) == dict(instructions())["USER"]
    grace = get_command(app).commands["serve"].params
    (seconds,) = [one.default for one in grace if one.name == "grace"]
    before = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] > seconds + before


def test_the_manifests_hold_before_their_schemas():
    """Built as `kubectl apply -k` builds them, read by the schemas of Kubernetes, with no word too many."""
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="see .ci/run")
    if shutil.which("kubectl"):
        command = ["kubectl", "kustomize", str(DEPLOY / "kubernetes")]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        built = list(yaml.safe_load_all(text))
        images = [
            one["spec"]["template"]["spec"]["containers"][0]["image"]
            for one in built
            if "template" in one["spec"]
        ]
        assert images == ["registry.example/piaa:1"]
    else:  # without it, as kustomize would label them
        built = list(manifests().values())
        labels = {"app.kubernetes.io/name": "piaa"}
        deployment = manifests()["Deployment"]
        deployment["spec"]["selector"] = {"matchLabels": labels}
        built = [deployment, *(one for one in built if one["kind"] != "Deployment")]
    assert {one["kind"] for one in built} == {"Deployment", "Service", "PodDisruptionBudget"}
    for one in built:
        kubernetes_validate.validate(one, "1.29", strict=True)
        kubernetes_validate.validate(one, "1.37", strict=True)


def test_the_unit_is_hardened():
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=30", "deploy/piaa.service"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    level = float(re.search(r"exposure level for piaa.service: ([\d.]+)", done.stdout)[1])
    assert (level < 3, done.returncode) == (True, 0)


@pytest.mark.parametrize(
    "command", [["hadolint", "deploy/Dockerfile"], ["systemd-analyze", "verify", "deploy/piaa.service"]]
)
def test_linters_find_nothing(command):
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
