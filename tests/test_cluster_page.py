"""The page for operators: each of its commands runs, in small, in the order of the page."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
import yaml

from piaa.store.store import Store

arrow = pytest.importorskip("pyarrow", reason="the core has no pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")


def commands() -> list[str]:
    """Lines of the page's shell blocks."""
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    lines = (line.partition("  #")[0].strip() for block in blocks for line in block.splitlines())
    return [line for line in lines if line]


def rate(folder: Path, uris: list[str]) -> None:
    """Ratings of two people beside the bucket."""
    rows = {"user": ["ana"] * 3 + ["ben"] * 3, "image": uris[:6], "score": [5.0, 1.0, 3.0, 2.0, 4.0, 1.0]}
    parquet.write_table(arrow.table(rows), folder / "ratings.parquet")


def test_what_is_not_ours_is_known():
    others = {line.split()[0] for line in commands() if not line.startswith("piaa ")}
    assert others == {"pip", "docker", "kubectl"}
    named = {word for line in commands() for word in line.split() if word.startswith("deploy/")}
    assert {"deploy/cluster/Dockerfile", "deploy/cluster/kubernetes.yaml"} == named
    assert all((ROOT / name).is_file() for name in named)


def job(file: str) -> list[list[str]]:
    """What the pods of a job run, each with its index."""
    spec = yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    words = container["args"]
    return [
        [word.replace("$(JOB_COMPLETION_INDEX)", str(index)) for word in words]
        for index in range(spec["completions"])
    ]


def in_order() -> list[list[str]]:
    """The commands of the page, and in place of a job what its pods run."""
    found = []
    for words in map(shlex.split, commands()):
        if words[:3] == ["kubectl", "apply", "-f"]:
            found += job(words[3])
        elif words[0] == "piaa" and "--ray" not in words:  # tests/piaa/cluster/test_ray_data.py
            found.append(words[1:])
    return found


def test_every_command_runs_in_small(piaa, album, tmp_path, monkeypatch):
    monkeypatch.setenv("PIAA_STORE", str(tmp_path / "piaa.db"))
    monkeypatch.chdir(tmp_path)
    bucket = tmp_path / "bucket"
    shutil.copytree(album, bucket / "photos")
    rate(tmp_path, [str(path) for path in sorted((bucket / "photos").rglob("photo-*"))])
    for words in in_order():
        here = [word.replace("s3://bucket", str(bucket)) for word in words]
        small = ["--shard-size", "4"] if here[0] == "manifest" else []
        done = piaa(*here, *small)
        assert done.exit_code == 0, f"{' '.join(words)}: {done.stderr}"
    best = parquet.read_table(bucket / "best" / "users-000000.parquet").to_pylist()
    assert [row["rank"] for row in best if row["user"] == "ana"] == list(range(1, 13))
    assert [one.user for one in Store(tmp_path / "piaa.db").users()] == ["ana", "ben"]
