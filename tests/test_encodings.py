"""Names of photos in any script, on terminals and in pipes of any encoding: what is printed says which."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NAMES = {"日本語.jpg": "\\u65e5\\u672c\\u8a9e.jpg", "😀 café.jpg": "\\U0001f600 caf"}
"""Names, and what begins them where an encoding has none of their characters."""
ENCODINGS = ("cp1252", "cp437", "ascii", "latin-1", "utf-8", "cp932")


def run(encoding: str, *args: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", "from cli import app; app(prog_name='piaa')", *map(str, args)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": encoding}
    return subprocess.run(command, capture_output=True, env=environment, timeout=300)


@pytest.fixture
def photos(tmp_path, album) -> Path:
    folder = tmp_path / "写真"
    folder.mkdir()
    for name, photo in zip(NAMES, sorted(album.glob("*.jpg")), strict=False):
        shutil.copyfile(photo, folder / name)
    (folder / "壊.jpg").write_bytes(b"no photo")
    return folder


@pytest.fixture
def ana(fit) -> None:
    assert fit().exit_code == 0


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_ranking_names_every_photo(encoding, ana, photos, tiny_model):
    done = run(encoding, "score", photos, "--user", "ana", "--model", tiny_model)
    assert done.returncode == 0, done.stderr
    known = "utf-8" if encoding == "ascii" else encoding  # what typer makes of it
    printed, said = done.stdout.decode(known), done.stderr.decode(known)
    for name, escaped in NAMES.items():
        assert name in printed or escaped in printed
    assert "skipped 1 of 3 photos:" in said
    assert "壊.jpg" in said or "\\u58ca.jpg" in said


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_json_is_json_under_any_encoding(encoding, ana, photos, tiny_model):
    done = run(encoding, "score", photos, "--user", "ana", "--model", tiny_model, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.decode(encoding))
    assert {row["image"] for row in found["scores"]} == set(NAMES)
    assert list(found["skipped"]) == ["壊.jpg"]
    assert ("日本語" in done.stdout.decode(encoding)) == (encoding == "utf-8")


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_an_error_and_a_help_are_printed(encoding, user_folders):
    done = run(encoding, "score", user_folders / "無い", "--user", "アナ")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"piaa: ")
    assert b"Traceback" not in done.stderr
    done = run(encoding, "evaluate", "--help")
    assert (done.returncode, done.stderr) == (0, b"")
    done = run(encoding, "--help")
    assert (done.returncode, done.stderr) == (0, b"")
