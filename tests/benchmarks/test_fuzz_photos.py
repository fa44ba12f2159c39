"""benchmarks/fuzz_photos.py: a case is the same on every run, a run goes on, and a fault would be seen."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def fuzz(monkeypatch):
    pytest.importorskip("pillow_heif")
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
    return importlib.import_module("fuzz_photos")


def test_a_case_is_decided_by_its_number(fuzz):
    assert fuzz.case(7, 0) == fuzz.case(7, 0)
    assert len({fuzz.case(number, 0)[1] for number in range(64)}) == 64
    assert {fuzz.case(number, 0)[0] for number in range(16)} == set(fuzz.WRITERS)


def test_intact_files_are_read(fuzz, tmp_path):
    for kind in fuzz.WRITERS:
        assert fuzz.read(kind, fuzz.intact(kind), tmp_path) == "read"


def test_what_counts_as_a_finding(fuzz):
    fine = {"outcome": "read", "s": 0.1, "bytes": 10, "printed": ""}
    assert fuzz.finding(fine) is None
    assert fuzz.finding({**fine, "outcome": "refused"}) is None
    assert fuzz.finding({**fine, "outcome": "KeyError: 3"}) == "KeyError: 3"
    assert fuzz.finding({**fine, "s": 5.5}) == "took 5.5 s"
    assert fuzz.finding({**fine, "bytes": 2_000_000_000}) == "took 2000000000 bytes of memory"
    assert fuzz.finding({**fine, "printed": "a line\n"}) == "printed 'a line\\n'"


def test_a_run_goes_on(fuzz, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(fuzz, "write_result", lambda *_: None)
    progress = tmp_path / "progress.jsonl"
    known = {"seed": 0, "number": 0, "outcome": "crash: exit code -11", "s": 0.0, "bytes": 0, "printed": ""}
    progress.write_text(json.dumps(known) + "\n" + '{"seed": 0, "num')
    options = ["fuzz_photos.py", "--cases", "32", "--workers", "1", "--progress", str(progress)]
    monkeypatch.setattr(sys, "argv", options)
    for _ in range(2):
        with pytest.raises(SystemExit) as ended:
            fuzz.main()
        assert ended.value.code == 1
        printed = capsys.readouterr().out.splitlines()
        assert printed[-1] == "case 0 (JPEG): crash: exit code -11"
        assert printed[2].startswith("| JPEG | 2 |")
    numbers = [json.loads(line)["number"] for line in progress.read_text().splitlines() if line.endswith("}")]
    assert sorted(numbers) == list(range(32))


def test_one_case_is_run_again(fuzz, tmp_path):
    command = [sys.executable, str(ROOT / "benchmarks/fuzz_photos.py"), "--only", "3", "--keep"]
    done = subprocess.run([*command, tmp_path / "case"], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("JPEG, four inks: re")
    assert (tmp_path / "case").read_bytes() == fuzz.case(3, 0)[1]
