"""The examples for clusters: they name commands and options that exist, and agree with themselves."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from cli import app

ROOT = Path(__file__).parents[1]
CLUSTER = ROOT / "deploy" / "cluster"
COMMAND = "from cli import app; app(prog_name='piaa')"


def objects(name: str) -> dict[str, dict]:
    """What a file describes, by kind."""
    found = list(yaml.safe_load_all((CLUSTER / name).read_text()))
    return {one["kind"]: one for one in found}


def container(one: dict) -> dict:
    (found,) = one["spec"]["template"]["spec"]["containers"]
    return found


def check_options(words: list[str]) -> None:
    """Whether ``piaa`` takes them."""
    command = get_command(app).commands[words[0]]
    known = {name for one in command.params for name in one.opts}
    assert {word for word in words if word.startswith("--")} <= known


def test_the_image_of_a_cluster_has_its_extra_and_starts_piaa():
    text = (CLUSTER / "Dockerfile").read_text()
    assert "'.[cluster]'" in text
    assert text.rstrip().endswith('ENTRYPOINT ["piaa"]')
    copied = [line.split()[1:-1] for line in text.splitlines() if line.startswith("COPY")]
    for name in (name for names in copied for name in names):
        assert (ROOT / name).exists(), name


def test_a_job_array_shares_all_shards():
    job = objects("kubernetes.yaml")["Job"]
    spec, found = job["spec"], container(job)
    words = found["args"]
    check_options(words)
    assert spec["completionMode"] == "Indexed"
    share = words[words.index("--shard") + 1]
    assert share == f"$(JOB_COMPLETION_INDEX)/{spec['completions']}"
    assert [one["name"] for one in found["env"]] == ["JOB_COMPLETION_INDEX"]
    assert spec["maxFailedIndexes"] == spec["completions"]
    assert spec["template"]["spec"]["restartPolicy"] == "Never"  # which backoffLimitPerIndex asks for
    assert found["resources"]["limits"]["cpu"].isdecimal()


def test_the_nodes_of_a_ray_cluster_find_their_head():
    found = objects("ray.yaml")
    service, head, workers = (found[kind] for kind in ("Service", "Job", "Deployment"))
    assert service["spec"]["selector"] == head["spec"]["template"]["metadata"]["labels"]
    (port,) = service["spec"]["ports"]
    (script,) = container(head)["args"]
    start, begin = script.split(" && ")
    assert f"--port={port['port']}" in start
    words = shlex.split(begin)
    assert words[:2] == ["exec", "piaa"]
    check_options(words[2:])
    command = container(workers)["command"]
    assert f"--address={service['metadata']['name']}:{port['port']}" in command
    (cores,) = (word.partition("=")[2] for word in command if word.startswith("--num-cpus"))
    assert container(workers)["resources"]["limits"]["cpu"] == cores
    labels = workers["spec"]["template"]["metadata"]["labels"]
    assert workers["spec"]["selector"]["matchLabels"] == labels != service["spec"]["selector"]


def test_all_pods_know_the_bucket():
    for name in ("kubernetes.yaml", "ray.yaml"):
        for kind, one in objects(name).items():
            if kind != "Service":
                assert container(one)["envFrom"] == [{"secretRef": {"name": "bucket"}}]
                assert container(one)["image"] == "piaa-cluster"


@pytest.mark.skipif(os.name != "posix", reason="bash")
def test_an_array_of_slurm_embeds_everything(tmp_path, album):
    pytest.importorskip("pyarrow", reason="the core has no pyarrow")
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, text in (("srun", 'exec "$@"'), ("piaa", f'exec {sys.executable} -c "{COMMAND}" "$@"')):
        (tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (tools / name).chmod(0o755)
    places = {"MANIFEST": str(tmp_path / "manifest"), "VECTORS": str(tmp_path / "vectors")}
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, **places, "PATH": path, "PYTHONPATH": str(ROOT)}
    listed = [tools / "piaa", "manifest", album, "--out", places["MANIFEST"], "--shard-size", "4"]
    subprocess.run(listed, env=environment, check=True, capture_output=True)
    for task in range(2):
        one = {"SLURM_ARRAY_TASK_ID": str(task), "SLURM_ARRAY_TASK_COUNT": "2"}
        subprocess.run(CLUSTER / "slurm.sh", env=environment | one, check=True, capture_output=True)
    found = len(list((tmp_path / "vectors").glob("[0-9a-f]*-*.parquet")))
    assert found == len(list((tmp_path / "manifest").glob("*.parquet"))) - 1


def test_slurm_is_asked_for_tasks_from_zero():
    lines = (CLUSTER / "slurm.sh").read_text().splitlines()
    assert "#SBATCH --array=0-7" in lines
    assert "#SBATCH --requeue" in lines


@pytest.mark.parametrize(
    "command", [["hadolint", "deploy/cluster/Dockerfile"], ["shellcheck", "deploy/cluster/slurm.sh"]]
)
def test_linters_find_nothing(command):
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
