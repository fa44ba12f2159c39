"""Long work in a process of its own: what a log gets of it, and whoever presses Ctrl-C."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from piaa.commands.progress import stopping

WAIT = """
import sys, time
from piaa.commands import progress
from cli import app
def slow(label, total, write):
    # Waits for the signal as soon as so many photos are done.
    left = int({photos})
    def report(done):
        nonlocal left
        left -= done
        if left <= 0:
            print("now", flush=True)
            time.sleep(60)
    return report
progress.in_lines = slow
app()
"""
"""The command line, which stops for a while in its progress, so that the signal surely comes there."""


@pytest.fixture
def stopped(user_folders):
    """``stopped(photos, *arguments)``: exit code and stderr of a command, by Ctrl-C after so many photos."""

    def run(photos, *arguments):
        code = WAIT.replace("{photos}", str(photos))
        command = [sys.executable, "-c", code, *map(str, arguments)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "now\n"
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=60)
        assert out == ""
        return process.returncode, error

    return run


def test_who_stops_a_ranking_is_told_what_is_kept(stopped, piaa, album, tiny_model, tmp_path):
    cache = tmp_path / "cache"
    options = ("score", album, "--model", tiny_model)
    told = "piaa: stopped; the photos read so far are remembered: the same command goes on from there\n"
    assert stopped(12, *options, "--cache", cache) == (130, told)
    assert "12 photos" in piaa("cache", "info", "--cache", cache).stdout
    told = "piaa: stopped; the same command begins from the start\n"
    assert stopped(1, *options, "--no-cache") == (130, told)


def test_who_stops_a_fit_is_told_that_nothing_changed(stopped, piaa, fit, album, ratings, tiny_model):
    assert fit().exit_code == 0
    before = piaa("users", "show", "ana", "--json").stdout
    options = ("--user", "ana", "--ratings", ratings, "--images", album, "--model", tiny_model, "--add")
    assert stopped(5, "fit-user", *options) == (
        130,
        "piaa: stopped; nothing of ana changed, and the photos read so far are remembered: the same command "
        "goes on from there\n",
    )
    assert json.loads(piaa("users", "show", "ana", "--json").stdout) == json.loads(before)


def test_the_inner_work_speaks():
    with pytest.raises(KeyboardInterrupt) as stop, stopping("outer"), stopping("inner"):
        raise KeyboardInterrupt
    assert stop.value.args == ("inner",)
