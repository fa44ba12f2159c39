"""A page of the rendered album: its parts, its application in this process, and a process of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import piaa
from piaa.page.page_state import PageState, open_page

ROOT = Path(__file__).parents[3]
PORT = 8765
TOKEN = "a-token-that-nobody-guesses"
CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))),
    None,
)


@pytest.fixture
def photos(tmp_path, album) -> Path:
    """The album's twelve photos, in a folder that a test may change."""
    folder = tmp_path / "photos"
    shutil.copytree(album, folder)
    return folder


@pytest.fixture(scope="session")
def model(tiny_model, tmp_path_factory) -> piaa.people.model.Model:
    """One for all tests, which remembers the album's pictures: its network runs once."""
    return piaa.load_model(tiny_model, cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture
def state(photos, model, tmp_path) -> Iterator[PageState]:
    """A page whose photos are read, and nobody said anything yet."""
    page = open_page(photos, model, user="ana", store=tmp_path / "piaa.db")
    page.start()
    wait_until(lambda: page.album.n_known == len(page.album) and page.stars.n_found)
    yield page
    page.stop()


def wait_until(is_so: Callable[[], object], timeout_s: float = 60.0) -> None:
    end = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


@pytest.fixture(scope="session")
def until() -> Callable[..., None]:
    """``until(function)`` waits until it is so."""
    return wait_until


@pytest.fixture
def client(state):
    """The application, asked as the opened page asks it."""
    pytest.importorskip("httpx", reason="the core has no httpx")
    from starlette.testclient import TestClient

    from piaa.page.app import create_app

    app = create_app(state, TOKEN, PORT)
    app.router.lifespan_context = _nothing  # the fixture has started the page
    address = f"http://127.0.0.1:{PORT}"
    made = TestClient(app, base_url=address, headers={"Origin": address})
    assert made.get(f"/?token={TOKEN}").status_code == 200
    assert made.get("/static/icon.svg").status_code == 200  # with the cookie: let in
    return made


class _nothing:  # noqa: N801
    def __init__(self, app):
        pass

    async def __aenter__(self):
        pass

    async def __aexit__(self, *_):
        pass


@dataclass
class Opened:
    """``piaa open`` in a process of its own."""

    photos: Path
    options: list[str]
    environment: dict[str, str]
    process: subprocess.Popen[str] | None = None
    address: str = ""
    log: list[str] = field(default_factory=list)

    def start(self) -> str:
        """Its address, once it answers."""
        command = [sys.executable, "-m", "cli", "open", str(self.photos), "--no-browser", *self.options]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=self.environment,
            cwd=ROOT,
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()
        assert self.address.startswith("http://127.0.0.1:")
        return self.address

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(timeout=60)
        self.process.stdout.close()
        return code


@pytest.fixture(scope="session")
def read_before(tmp_path_factory) -> Path:
    """A cache that all pages in processes of their own have, so that the network runs once."""
    return tmp_path_factory.mktemp("page-cache")


@pytest.fixture
def opened(photos, read_before, tmp_path) -> Iterator[Opened]:
    environment = {**os.environ, "PIAA_STORE": str(tmp_path / "piaa.db"), "PIAA_CACHE_DIR": str(read_before)}
    found = Opened(photos, ["--user", "ana"], environment)
    yield found
    if found.process is not None and found.process.poll() is None:
        found.kill()


@pytest.fixture(scope="module")
def chromium():
    """A browser as a person has it, without a window.

    While Playwright runs no test of the same process can start an event loop of its own.
    """
    if CHROMIUM is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="the core has no playwright")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield browser
        browser.close()
