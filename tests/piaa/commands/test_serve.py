"""``piaa serve`` where it cannot run; what it answers where it can, tests/piaa/server tells."""

from __future__ import annotations

import sys


def test_on_windows_it_says_where_it_runs(piaa, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "platform", "win32")
    result = piaa("serve", "--no-keys", "--store", tmp_path / "piaa.db")
    assert (result.exit_code, result.stderr) == (
        1,
        "piaa: piaa serve runs on Linux and macOS, not on Windows; run it in WSL or a container, or rate and "
        "cull on this computer with: piaa open PHOTOS\n",
    )
    assert not (tmp_path / "piaa.db").exists()
