"""A disk that is full: one line, nothing half written, and the same command goes on when there is room."""

from __future__ import annotations

import shutil

import pytest

from generic.errors import ClusterError
from piaa.cluster.embed import embed
from piaa.cluster.work import Job


def test_a_full_disk_is_told_and_gone_on_from(many, tmp_path, tiny_graph, content, tmpfs):
    embed(Job(manifest=many, out=str(tmp_path / "whole"), model=str(tiny_graph)))
    with tmpfs(tmp_path / "disk", "1M") as disk:
        job = Job(manifest=many, out=str(disk / "vectors"), model=str(tiny_graph))
        room = shutil.disk_usage(disk).free - 40 * 1024
        (disk / "others").write_bytes(bytes(room))
        with pytest.raises(ClusterError) as caught:
            embed(job)
        assert "\n" not in str(caught.value)
        assert " shards not tried; " in str(caught.value)
        assert not list((disk / "vectors").rglob(".piaa-*"))
        (disk / "others").unlink()
        embed(job)
        assert content(disk / "vectors") == content(tmp_path / "whole")
