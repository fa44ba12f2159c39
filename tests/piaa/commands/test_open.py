"""``piaa open``: its address, and what it refuses before anything is opened."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def test_it_prints_an_address_answers_there_and_stops_when_asked(album, tmp_path):
    environment = {**os.environ, "PIAA_STORE": str(tmp_path / "piaa.db"), "PIAA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "cli", "open", str(album), "--no-browser"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=ROOT,
        preexec_fn=as_on_a_terminal,
    ) as process:
        address = process.stdout.readline().strip()
        with urllib.request.urlopen(address) as answer:
            page = answer.read().decode()
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(address.partition("?")[0])
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        browser.open(address).close()
        waiting = threading.Thread(target=wait_for_news, args=(browser, address.partition("?")[0]))
        waiting.start()
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
        assert process.wait(timeout=60) in (0, 130)
    assert address.startswith("http://127.0.0.1:")
    assert "<title>album · piaa</title>" in page
    assert said.splitlines()[0] == (
        "12 photos; nothing leaves this computer, each answer is kept at once, Ctrl-C stops"
    )
    assert said.splitlines()[1:] == ["piaa: stopped"]
    waiting.join()


def as_on_a_terminal():
    """Where the tests run in the background Ctrl-C is ignored, by them and what they start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for_news(browser, address):
    """As the page does: the answer comes when there is some, or after long."""
    with suppress(OSError):
        for _ in range(100):
            known = "user=ana&facts=0&said=0&scored=0&bursts=0&stars=0"
            browser.open(f"{address}api/news?{known}").read()


def test_a_port_that_somebody_has_is_refused(piaa, album, tiny_model):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = piaa("open", album, "--port", port, "--no-browser", "--model", tiny_model)
    assert done.exit_code == 1
    assert done.stderr == (
        f"piaa: port {port} cannot be listened on: Address already in use; give another --port, or leave it "
        "out\n"
    )


def test_a_folder_without_photos_is_refused(piaa, tmp_path, tiny_model):
    done = piaa("open", tmp_path, "--no-browser", "--model", tiny_model)
    assert done.exit_code == 1
    assert done.stderr.startswith(f"piaa: {tmp_path} holds no photos: ")
