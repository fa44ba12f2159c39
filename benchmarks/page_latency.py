"""How quickly ``piaa open`` follows a person, in a real browser, and how much memory both sides take.

    uv run --group dev python benchmarks/page_latency.py --work runs/page

Albums of small photos (:mod:`page_album`), nine of ten of them read before and one of ten being read
meanwhile; 100 photos are rated already. Ratings are given by keys in the loupe. Times are the browser's own:
from the key to the server's answer, to the next photo's name, and to the line that says that the new rating
was learned from, by when the wall is in its new order. Beside these wall times stand processor times, which
other work on the machine does not lengthen: of the tab for one answer, and of the server's thread that learns
and orders, with 100 and with 1,000 answers.

Goes on where it was stopped: albums stay under ``--work``, and of a size that stands in
benchmarks/results/page_latency.json nothing is measured again, but with ``--again``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import page_album
from playwright.sync_api import CDPSession, Page, sync_playwright
from record import ENVIRONMENT, RESULTS, table, tell, write_result

from generic.threads import one_blas_thread
from piaa import load_model
from piaa.page.page_state import PageState, open_page
from piaa.page.taste import learned_from, look

N_KEYS = 20
MANY = 1000
"""Answers of the second processor time, on albums that have so many photos."""
NAME = "page_latency"
WATCH = """() => {
  const watched = (window.watched = { key: 0, next: 0, learned: 0 });
  const begin = () => {
    performance.clearResourceTimings(); // a browser keeps the first few hundred alone
    Object.assign(watched, { key: performance.now(), next: 0, learned: 0 });
  };
  document.addEventListener("keydown", begin, true);
  const note = (selector, name) => new MutationObserver(() => (watched[name] ||= performance.now())).observe(
    document.querySelector(selector), { childList: true, characterData: true, subtree: true });
  note("#loupe .name", "next");
  note("#worth", "learned");
}"""
SAVED = 'performance.getEntriesByType("resource").find((one) => one.name.endsWith("/api/rate"))'
TIMES = f"""() => {{
  const saved = {SAVED};
  const {{ key, next, learned }} = window.watched;
  return {{ saved: saved.responseEnd - key, next: next - key, learned: learned - key }};
}}"""


def resident(pid: int) -> float:
    """Memory of a process, in MiB: now."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def wait(page: Page, expression: str, timeout_s: float = 180) -> None:
    """Until it is true."""
    end = time.monotonic() + timeout_s
    while not page.evaluate(expression):
        if time.monotonic() > end:
            raise SystemExit(f"waited in vain for {expression}")
        page.wait_for_timeout(10)


def busy_ms(session: CDPSession) -> float:
    """Milliseconds that the tab's main thread worked so far."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return 1000 * next(float(one["value"]) for one in metrics if one["name"] == "TaskDuration")


def keys(page: Page) -> dict[str, float]:
    """Medians of the times of some ratings, in milliseconds."""
    page.keyboard.press("Enter")
    page.wait_for_selector("#loupe[open]")
    page.evaluate(WATCH)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    times: list[dict[str, float]] = []
    for number in range(N_KEYS):
        page.wait_for_timeout(300)
        before = busy_ms(session)
        page.keyboard.press(str(1 + number % 5))
        wait(page, f"window.watched.next && window.watched.learned && Boolean({SAVED})")
        times.append({**page.evaluate(TIMES), "tab_cpu": busy_ms(session) - before})
    return {name: round(statistics.median(one[name] for one in times), 1) for name in times[0]}


def in_browser(work: Path, chromium: str) -> dict[str, Any]:
    """Wall times and memory, of a server in a process of its own and a browser."""
    environment = {**ENVIRONMENT, "PIAA_CACHE_DIR": str(work / "cache"), "PIAA_STORE": str(work / "once.db")}
    shutil.copy(work / "piaa.db", work / "once.db")  # a second run begins as the first did
    command = [sys.executable, "-m", "cli", "open", str(work / "photos"), "--no-browser"]
    root, quiet = Path(__file__).parents[1], subprocess.DEVNULL
    server = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=quiet, text=True, env=environment, cwd=root
    )
    try:
        assert server.stdout is not None  # noqa: S101
        started = time.perf_counter()
        address = server.stdout.readline().strip()
        with sync_playwright() as running:
            browser = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.set_default_timeout(180_000)
            page.goto(address)
            page.wait_for_selector(".tile")
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
        memory = {"server_mib": round(resident(server.pid)), "tab_mib": round(tab)}
        return {"shown_s": round(shown, 2), **found, **memory, "left": left}
    finally:
        server.terminate()
        server.wait()
        (work / "once.db").unlink()


def processor_ms(state: PageState) -> float:
    """What learning one answer and ordering the album takes of the processor: median of some, one thread."""
    times = []
    for number in range(9):
        started = time.thread_time()
        taste = look(state.store, state.model, page_album.USER)
        learned_from(taste, state.store, state.model, quick=True).scores(state.album, state.learner.ground)
        if number > 1:  # where the photos lie is found once
            times.append(1000 * (time.thread_time() - started))
    return round(float(np.median(times)), 1)


def in_process(work: Path) -> dict[str, float]:
    """Processor times of the server's part, alone in this process."""
    shutil.copy(work / "piaa.db", work / "once.db")
    model = load_model(cache=work / "cache")
    state = open_page(work / "photos", model, user=page_album.USER, store=work / "once.db")
    state.reader._recall()  # what is remembered, without reading the rest
    with one_blas_thread():  # as the page's server has it
        found = _processor(state, work)
    state.reader._cache.close()
    state.store.close()
    (work / "once.db").unlink()
    return found


def _processor(state: PageState, work: Path) -> dict[str, float]:
    found = {"server_cpu": processor_ms(state)}
    if len(state.album) >= 2 * MANY:
        paths = [photo.path for photo in state.album.photos[:MANY]]
        page_album.say_ratings(state.store, state.model, paths, work / "cache")
        found["server_cpu_many"] = processor_ms(state)
    return found


def before(again: bool) -> dict[int, dict[str, Any]]:
    """What was measured in earlier runs, by the number of photos."""
    path = RESULTS / f"{NAME}.json"
    if again or not path.exists():
        return {}
    return {one["n"]: one for one in json.loads(path.read_text())["albums"]}


def text_of(albums: list[dict[str, Any]]) -> str:
    """The table."""
    header = ["photos", "command to first tiles", "key to saved", "key to next photo", "answer to new order"]
    header += ["processor: server, 100 answers", f"{MANY:,} answers", "tab", "memory: server", "tab", "load"]
    rows = [
        [
            f"{one['n']:,}",
            f"{one['shown_s']:.1f} s",
            *(f"{one[name]:.0f} ms" for name in ("saved", "next", "learned", "server_cpu")),
            f"{one['server_cpu_many']:.0f} ms" if "server_cpu_many" in one else "",
            f"{one['tab_cpu']:.0f} ms",
            *(f"{one[name]:,} MiB" for name in ("server_mib", "tab_mib")),
            f"{one['load']:.1f}",
        ]
        for one in albums
    ]
    return table(header, rows)


def main() -> None:
    """Measure every size that was not measured; see the module's text."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True, help="folder for the albums, which stay there")
    parser.add_argument("--counts", default="200,2000,20000", help="album sizes, separated by commas")
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="the browser's program")
    parser.add_argument("--prepare", action="store_true", help="only make the albums")
    parser.add_argument("--again", action="store_true", help="measure all sizes anew")
    given = parser.parse_args()
    done = before(given.again)
    for n in map(int, given.counts.split(",")):
        work = given.work.resolve() / str(n)
        page_album.make(work, n)
        tell(f"{n}: the album is there")
        if given.prepare or n in done:
            continue
        load = os.getloadavg()[0]
        done[n] = {"n": n, "load": round(load, 1), **in_process(work), **in_browser(work, given.chromium)}
        tell(f"{n}: {done[n]}")
        albums = [done[size] for size in sorted(done)]
        command = "benchmarks/page_latency.py --work runs/page"
        print(write_result(NAME, command, {"albums": albums, "markdown": text_of(albums)}))


if __name__ == "__main__":
    main()
