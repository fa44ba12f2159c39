"""From a folder of photos to everybody's best: the commands for many machines, in small."""

from __future__ import annotations

import json
import re

import onnxruntime
import pytest

from generic.engine.onnx_engine import GPU

arrow = pytest.importorskip("pyarrow", reason="the core has no pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


@pytest.fixture
def done(piaa, album, tiny_graph, tmp_path):
    """A manifest and its vectors."""
    folders = {name: str(tmp_path / name) for name in ("manifest", "vectors", "forms", "best")}
    listed = piaa("manifest", album, "--out", folders["manifest"], "--shard-size", 4)
    assert listed.exit_code == 0, listed.stderr
    embedded = piaa("embed", folders["manifest"], "--out", folders["vectors"], "--model", tiny_graph)
    assert embedded.exit_code == 0, embedded.stderr
    return folders, listed, embedded


def test_what_was_done_is_said(done, piaa, tiny_graph):
    folders, listed, embedded = done
    index = parquet.read_table(f"{folders['manifest']}/manifest.parquet")
    n = index.num_rows
    assert listed.stdout == f"12 photos in {n} shards, {n} of them new, 0 gone: {folders['manifest']}\n"
    assert embedded.stdout == f"12 photos in {n} shards done now, 0 shards before: {folders['vectors']}\n"
    again = piaa("embed", folders["manifest"], "--out", folders["vectors"], "--model", tiny_graph, "--json")
    assert json.loads(again.stdout) == {"shards": 0, "photos": 0, "broken": 0, "before": n, "failed": {}}
    first = piaa("status", folders["vectors"]).stdout.splitlines()[0]
    assert first.endswith(f": {n} of {n} shards done, 12 of 12 photos, 0 of them broken")
    (facts,) = json.loads(piaa("status", folders["vectors"], "--json").stdout)
    assert (facts["done"], facts["photos"], facts["running"], facts["failed"]) == (n, 12, [], [])


def test_everybody_gets_her_best(done, piaa, tiny_graph, album, names, tmp_path):
    folders, *_ = done
    uris = [str(album / name) for name in names[:6]]
    rows = {"user": ["ana"] * 3 + ["ben"] * 3, "image": uris, "score": [5.0, 1.0, 3.0, 2.0, 4.0, 1.0]}
    parquet.write_table(arrow.table(rows), tmp_path / "ratings.parquet")
    vectors = ("--vectors", folders["vectors"])
    ratings = tmp_path / "ratings.parquet"
    fitted = piaa("fit-users", ratings, *vectors, "--out", folders["forms"], "--model", tiny_graph)
    assert fitted.stdout == f"2 people learned from 6 ratings by bayes: {folders['forms']}\n", fitted.stderr
    ranked = piaa("rank", *vectors, "--users", folders["forms"], "--top", 3, "--out", folders["best"])
    assert ranked.stdout == f"2 people, 12 photos: {folders['best']}\n", ranked.stderr
    best = parquet.read_table(f"{folders['best']}/users-000000.parquet").to_pylist()
    assert [(row["user"], row["rank"]) for row in best] == [
        (user, n) for user in ("ana", "ben") for n in (1, 2, 3)
    ]


def test_a_share_that_is_none_is_refused(piaa, tmp_path):
    refused = piaa("embed", tmp_path, "--out", tmp_path, "--shard", "8/8")
    assert refused.exit_code == 2
    assert "expected I/N with I from 0 to N" in " ".join(refused.stderr.split())


def test_a_folder_without_a_manifest(piaa, tmp_path):
    refused = piaa("embed", tmp_path, "--out", tmp_path / "vectors")
    assert (refused.exit_code, refused.stderr) == (
        1,
        f"piaa: {tmp_path} holds no manifest of this piaa; make one: piaa manifest SOURCE --out {tmp_path}\n",
    )


@pytest.mark.skipif(GPU in onnxruntime.get_available_providers(), reason="ONNX Runtime is one for GPUs here")
def test_a_gpu_that_is_not_there_is_one_line(done, piaa, tiny_graph, tmp_path):
    folders, *_ = done
    out = ("--out", tmp_path / "on-gpu", "--model", tiny_graph)
    refused = piaa("embed", folders["manifest"], *out, "--gpu")
    (line,) = refused.stderr.splitlines()
    assert refused.exit_code == 1
    assert re.fullmatch(r"piaa: 1 of \d+ shards failed, \d+ shards? not tried; 0 shards done, .*", line)
    assert line.endswith(
        "install onnxruntime-gpu in the place of onnxruntime, with CUDA and cuDNN, or leave --gpu out"
    )
    assert [it.name[:3] for it in (tmp_path / "on-gpu").glob("*.parquet")] == ["of."]  # what is to be done
