"""How quickly ``piaa open`` follows a person, in a real browser, and how much memory both sides take.

    uv run --group dev python benchmarks/page_latency.py --chromium /usr/bin/chromium

An album of small rendered photos, nine of ten of them read before and one of ten being read meanwhile; its
vectors are drawn around those of rendered scenes. 100 photos are rated already. Ratings are given by keys
in the loupe. Times are the browser's own: from the key to the server's answer, to the next photo's name, and
to the line that says that the new rating was learned from, by when the wall is in its new order.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright
from record import ENVIRONMENT, table, tell, write_result

from generic.cache.features import FeatureCache
from piaa import load_model
from piaa.demo.scenes import draw_scenes, render
from piaa.store.records import SeenPhoto
from piaa.store.saying import Saying
from piaa.store.store import Store

N_SCENES, N_KNOWN, N_KEYS = 24, 100, 20
WATCH = """() => {
  const watched = (window.watched = { key: 0, next: 0, learned: 0 });
  const begin = () => Object.assign(watched, { key: performance.now(), next: 0, learned: 0 });
  document.addEventListener("keydown", begin, true);
  const note = (selector, name) => new MutationObserver(() => (watched[name] ||= performance.now())).observe(
    document.querySelector(selector), { childList: true, characterData: true, subtree: true });
  note("#loupe .name", "next");
  note("#worth", "learned");
}"""
TIMES = """() => {
  const rated = performance.getEntriesByType("resource").filter((one) => one.name.endsWith("/api/rate"));
  const saved = rated.at(-1);
  const { key, next, learned } = window.watched;
  return { saved: saved.responseEnd - key, next: next - key, learned: learned - key };
}"""


def make_album(folder: Path, n: int) -> list[Path]:
    """Small photos, no two alike to the byte."""
    folder.mkdir()
    scenes = [render(scene, (240, 160)) for scene in draw_scenes(N_SCENES, 0)]
    paths = []
    for number in range(n):
        picture = scenes[number % N_SCENES].copy()
        for bit in range(16):  # its number, as dark and light squares
            picture.paste((255 * (number >> bit & 1),) * 3, (8 * bit, 0, 8 * bit + 8, 8))
        paths.append(folder / f"photo-{number:05d}.jpg")
        picture.save(paths[-1], quality=80)
    return paths


def remember(paths: list[Path], cache: Path) -> None:
    """Vectors as if the photos had been read before; and one hundred of them rated."""
    model = load_model(cache=cache)
    rng = np.random.default_rng(0)
    with FeatureCache.open(cache) as features:
        seen = np.stack([one.vector for one in model.generic.embed(paths[:N_SCENES], cache=features)])  # type: ignore[misc]
        spread = seen.std(axis=0)
        for start in range(0, len(paths), 1000):
            some = paths[start : start + 1000]
            contents, _ = features.digest_many(some)
            drawn = (
                seen[rng.integers(0, len(seen), len(some))]
                + rng.normal(size=(len(some), seen.shape[1])) * spread
            )
            drawn[:, 0] = np.clip(drawn[:, 0], 0, 1)
            vectors = {
                it.key: row for it, row in zip(contents.values(), drawn.astype(np.float32), strict=True)
            }
            features.put_many(vectors, model.generic.network_hash)


def rate(paths: list[Path], cache: Path, store: Path) -> None:
    """The ratings of before."""
    model, rng = load_model(cache=cache), np.random.default_rng(1)
    with FeatureCache.open(cache) as features:
        read = list(model.generic.embed(paths[:N_KNOWN], cache=features))
    ratings = [
        (
            SeenPhoto(identity=one.identity, sha256=one.digest, image=one.path.name, vector=one.vector),
            float(rng.integers(1, 6)),
        )
        for one in read
    ]
    Store(store).say(
        "me", Saying(ratings=ratings, model_hash=model.generic.hash, source="table", scale=(1.0, 5.0))
    )


def resident(pid: int) -> float:
    """Memory of a process, in MiB: now."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def wait(page: Page, expression: str, timeout_s: float = 120) -> None:
    """Until it is true."""
    end = time.monotonic() + timeout_s
    while not page.evaluate(expression):
        if time.monotonic() > end:
            raise SystemExit(f"waited in vain for {expression}")
        page.wait_for_timeout(10)


def keys(page: Page) -> dict[str, float]:
    """Medians of the times of some ratings, in milliseconds."""
    page.keyboard.press("Enter")
    page.wait_for_selector("#loupe[open]")
    page.evaluate(WATCH)
    times: list[dict[str, float]] = []
    for number in range(N_KEYS):
        page.wait_for_timeout(300)
        page.keyboard.press(str(1 + number % 5))
        wait(page, "window.watched.next && window.watched.learned")
        times.append(page.evaluate(TIMES))
    return {name: round(statistics.median(one[name] for one in times), 1) for name in times[0]}


def measure(n: int, work: Path, chromium: str) -> dict[str, Any]:
    """One album."""
    work.mkdir()
    paths = make_album(work / "photos", n)
    time.sleep(2.5)  # files of this moment are not remembered
    remember(paths, work / "cache")
    rate(paths, work / "cache", work / "piaa.db")
    for path in paths[-(n // 10) :]:  # these are other photos now
        Image.open(path).rotate(180).save(path, quality=80)
    environment = {**ENVIRONMENT, "PIAA_CACHE_DIR": str(work / "cache"), "PIAA_STORE": str(work / "piaa.db")}
    command = [sys.executable, "-m", "cli", "open", str(work / "photos"), "--no-browser"]
    server = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
        cwd=Path(__file__).parents[1],
    )
    try:
        assert server.stdout is not None  # noqa: S101
        started = time.perf_counter()
        address = server.stdout.readline().strip()
        with sync_playwright() as running:
            browser = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(address)
            page.wait_for_selector(".tile", timeout=60_000)
            shown = time.perf_counter() - started
            wait(page, "document.querySelectorAll('.tile img').length > 10")
            wait(page, "document.querySelector('#worth').textContent.startsWith('1')")
            page.focus(".tile button.open")
            found = keys(page)
            session = browser.new_browser_cdp_session()
            processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
            tab = max(resident(one["id"]) for one in processes if one["type"] == "renderer")
            left = page.inner_text("#count")
            browser.close()
        tell(f"{n}: {found}, shown after {shown:.1f} s, {left}")
        return {
            "n": n,
            "shown_s": round(shown, 2),
            **found,
            "server_mib": round(resident(server.pid)),
            "tab_mib": round(tab),
            "left": left,
        }
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    """Measure every size; see the module's text."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--counts", default="200,2000,20000", help="album sizes, separated by commas")
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="the browser's program")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [measure(int(n), Path(folder) / n, arguments.chromium) for n in arguments.counts.split(",")]
    header = [
        "photos",
        "first tiles",
        "key to saved",
        "key to next photo",
        "answer to new order",
        "server",
        "tab",
    ]
    cells = [
        [
            f"{one['n']:,}",
            f"{one['shown_s']:.1f} s",
            *(f"{one[name]:.0f} ms" for name in ("saved", "next", "learned")),
            *(f"{one[name]:,} MiB" for name in ("server_mib", "tab_mib")),
        ]
        for one in rows
    ]
    load = os.getloadavg()[1]
    command = "uv run --group dev python benchmarks/page_latency.py"
    print(
        write_result(
            "page_latency", command, {"load": load, "albums": rows, "markdown": table(header, cells)}
        )
    )


if __name__ == "__main__":
    main()
