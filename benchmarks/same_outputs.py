"""Whether two releases of piaa give the same bytes: commands, HTTP and an evaluation on the same photos.

Both run the same script of commands and requests in folders of their own, on real photos and real raters;
everything that is printed, answered or written is compared as it stands. Times and ids made by chance are
masked first (``_MASKS``), and of a store the rows are compared, not the pages of its file.

    git worktree add ../piaa-before REVISION
    uv run python benchmarks/same_outputs.py ../shared/data/oasis_beauty --before ../piaa-before

Exits with 1 and names each difference if there is one.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
from record import tell, write_result

HERE = Path(__file__).resolve().parents[1]
N_PHOTOS, N_RATED, N_PEOPLE = 60, 30, 24
VECTORS = ("generic", "bias", "ridge", "pam", "neighbours", "pairs", "bayes", "auto")
NETWORKS = ("lora", "finetune")
SERVED = ("generic", "bias", "ridge", "bayes", "auto", "neighbours")
_MASKS = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(\+00:00|Z)?"), "TIME"),
    (re.compile(r'"id":\s?"[0-9a-f-]{16,36}"'), '"id": "ID"'),
    # The checksum of an exported person covers the times in it.
    (re.compile(r'"sha256":\s?"[0-9a-f]{64}"\s*\}'), '"sha256": "OF THE TIMES"}'),
    (re.compile(r'"seconds":\s?[0-9.e-]+'), '"seconds": S'),
    (re.compile(r"\b\d+(\.\d+)? (s|min|seconds)\b"), "N s"),
)
Outputs = dict[str, bytes]


def main() -> None:
    """Run both and compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("root", type=Path, help="oasis_beauty: images/, ratings.csv, images.csv")
    parser.add_argument("--before", type=Path, required=True, help="a checkout of the release before")
    parser.add_argument("--python-before", default=sys.executable, help="its interpreter; default: this one")
    parser.add_argument("--networks", action="store_true", help="lora and finetune too: some minutes")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = []
        for name, tree, python in (
            ("before", given.before.resolve(), given.python_before),
            ("after", HERE, sys.executable),
        ):
            tell(f"{name}: {tree}")
            place = Path(folder, name)
            place.mkdir()
            lay_out(given.root, place)
            found.append(run_all(Release(tree, python, place), networks=given.networks))
    before, after = found
    different = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    for key in different:
        tell(f"DIFFERENT {key}:\n  before {_shown(before.get(key))}\n  after  {_shown(after.get(key))}")
    n_bytes = sum(map(len, before.values()))
    tell(f"{len(before)} outputs of {n_bytes} bytes, {len(different)} of them different")
    command = (
        "uv run python benchmarks/same_outputs.py ROOT --before CHECKOUT" + " --networks" * given.networks
    )
    figures = {"outputs": len(before), "bytes": n_bytes, "different": different, "kinds": kinds(before)}
    write_result("same_outputs", command, figures)
    sys.exit(bool(different))


def kinds(outputs: Outputs) -> dict[str, int]:
    """How many outputs there are of each kind: the first word of their names."""
    return pd.Series([key.split()[0] for key in outputs]).value_counts().sort_index().to_dict()


def _shown(content: bytes | None) -> str:
    return "nothing" if content is None else repr(content[:2000])


def lay_out(root: Path, place: Path) -> None:
    """An album, one person's ratings and comparisons, and a table of many people, all by relative names."""
    ratings, images = pd.read_csv(root / "ratings.csv"), pd.read_csv(root / "images.csv")
    names = images[images["list"] == 3]["image"].tolist()[:N_PHOTOS]
    (place / "album").mkdir()
    for name in names:
        (place / "album" / name).symlink_to((root / "images" / name).resolve())
    table = ratings[ratings["image"].isin(names)]
    people = sorted(table["user"].unique())[:N_PEOPLE]
    table = table[table["user"].isin(people)].sort_values(["user", "image"])
    table.to_csv(place / "ratings.csv", index=False)
    one = table[table["user"] == people[0]][["image", "score"]]
    one[:N_RATED].to_csv(place / "one.csv", index=False)
    one[N_RATED : N_RATED + 8].to_csv(place / "more.csv", index=False)
    rows = one[:N_RATED].itertuples(index=False)
    compared = [(a[0], b[0]) for a, b in pairwise(rows) if a[1] > b[1]]
    pd.DataFrame(compared, columns=["better", "worse"]).to_csv(place / "pairs.csv", index=False)
    (place / "album" / "broken.jpg").write_bytes(b"no photo")
    (place / "bad.csv").write_text("image,score\nnone.jpg,9\n")


class Release:
    """One release, run in a folder of its own."""

    def __init__(self, tree: Path, python: str, place: Path) -> None:
        self.place = place
        self._command = [python, "-c", "from cli import app; app(prog_name='piaa')"]
        self._environment = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
            "PYTHONPATH": str(tree),
            "PIAA_CACHE_DIR": "cache",
            "PIAA_STORE": "piaa.db",
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "100",
        }

    def run(self, *arguments: str) -> bytes:
        """Exit code, stdout and stderr of one command."""
        command = [*self._command, *arguments]
        done = subprocess.run(
            command, capture_output=True, cwd=self.place, env=self._environment, check=False
        )
        return b"\n".join((str(done.returncode).encode(), done.stdout, b"--", done.stderr))

    @contextmanager
    def served(self, store: str) -> Iterator[httpx.Client]:
        """A client of a server on a store of its own."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        command = [*self._command, "serve", "--store", store, "--port", port, "--no-keys", "--rate", "100000"]
        with (
            (self.place / "serve.log").open("wb") as log,
            subprocess.Popen(
                command, stdout=log, stderr=log, cwd=self.place, env=self._environment
            ) as process,
            httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as http,
        ):
            try:
                _until(lambda: _ready(http), process)
                yield http
            finally:
                process.terminate()
                process.wait()


def _until(done: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 120
    while not done():
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError("the server did not start; see its log")
        time.sleep(0.1)


def _ready(http: httpx.Client) -> bool:
    try:
        return http.get("/ready").status_code == 200
    except httpx.TransportError:
        return False


def run_all(release: Release, *, networks: bool) -> Outputs:
    """Every output of a release by its name, masked."""
    outputs: Outputs = {}
    adapters = (*VECTORS, *NETWORKS) if networks else VECTORS
    for what, part in (
        ("commands", lambda: commands(release, adapters)),
        ("evaluation", lambda: evaluations(release)),
        ("http", lambda: requests(release)),
    ):
        tell(what)
        outputs |= part()
    return {key: _masked(content) for key, content in outputs.items()}


def _masked(content: bytes) -> bytes:
    text = content.decode("latin-1")
    for pattern, word in _MASKS:
        text = pattern.sub(word, text)
    return text.encode("latin-1")


def commands(release: Release, adapters: Sequence[str]) -> Outputs:
    """Fitting, scoring, learning on, withdrawing, suggesting, exporting, refusing."""
    found: Outputs = {}

    def run(*arguments: str) -> None:
        found[f"command {' '.join(arguments)}"] = release.run(*arguments)

    for adapter in adapters:
        fit = ("fit-user", "--user", adapter, "--images", "album", "--adapter", adapter)
        run(*fit, "--ratings", "one.csv", "--scale", "1", "7")
        run("score", "album", "--user", adapter)
        run("score", "album", "--user", adapter, "--json")
        run("score", "album", "--user", adapter, "--top", "5", "--out", f"{adapter}.csv")
    run("fit-user", "--user", "compares", "--images", "album", "--pairs", "pairs.csv", "--json")
    run("score", "album", "--user", "compares", "--out", "compares.json")
    more = ("fit-user", "--user", "auto", "--images", "album", "--add", "--ratings")
    run(*more, "more.csv", "--json")
    run(*more, "more.csv")
    run(*more, "more.csv", "--duplicates", "mean")
    first = pd.read_csv(release.place / "one.csv")["image"][0]
    run("users", "forget-rating", "auto", first)
    run("users", "forget-rating", "auto", "nothing.jpg")
    run("score", "album", "--user", "auto", "--json")
    run("suggest", "album", "--user", "auto", "-n", "5", "--json")
    run("suggest", "album", "-n", "5", "--out", "rate-next.csv")
    for words in ("list", "list --json", "show auto", "show auto --json", "export auto auto.json --all"):
        run("users", *words.split())
    run("users", "import", "auto.json", "--user", "copy")
    run("score", "album", "--user", "copy")
    run("score", "album", "--user", "nobody")
    run("fit-user", "--user", "bad", "--images", "album", "--ratings", "bad.csv")
    run("fit-user", "--user", "bad", "--images", "nowhere", "--ratings", "one.csv", "--json")
    run("models", "list")
    run("cache", "info")
    found |= _files(release.place, "*.csv", "*.json")
    return found | _rows(release.place / "piaa.db")


def evaluations(release: Release) -> Outputs:
    """A few-shot test of the people of the table, with its report."""
    asked = ("evaluate", "--dataset", "table", "--ratings", "ratings.csv", "--images", "album")
    asked += (
        "--scale",
        "1",
        "7",
        "--shots",
        "3,10",
        "--repeats",
        "3",
        "--adapter",
        ",".join(VECTORS),
        "--skip",
        "--out",
        "run",
    )
    found = {
        "evaluation text": release.run(*asked),
        "evaluation again, wide": release.run(*asked, "--wide"),
        "evaluation json": release.run(*asked, "--json"),
        "evaluation refused": release.run(*asked, "--seed", "7"),
    }
    folder = release.place / "run"
    return found | {
        f"evaluation file {path.relative_to(folder)}": path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix in {".csv", ".json", ".md", ".tex", ".txt", ".bib"}
    }


def requests(release: Release) -> Outputs:
    """Ratings, fits, scores, suggestions, export and refusals over HTTP."""
    found: Outputs = {}
    album = release.place / "album"
    rated = pd.read_csv(release.place / "one.csv")
    files = [("image", (name, (album / name).read_bytes())) for name in rated["image"]]
    rows = json.dumps([{"image": a, "score": int(b)} for a, b in rated.itertuples(index=False)])
    with release.served("serve.db") as http:

        def ask(name: str, method: str, path: str, **options: Any) -> httpx.Response:
            answer = http.request(method, path, **options)
            kind = answer.headers["content-type"]
            found[f"http {name}"] = f"{answer.status_code} {kind}\n".encode() + answer.content
            return answer

        for user in SERVED:
            options = {"data": {"ratings": rows, "scale": "1..7"}, "files": files}
            ask(f"rate {user}", "POST", f"/v1/users/{user}/ratings", **options)
            job = ask(f"fit {user}", "POST", f"/v1/users/{user}/fit", params={"adapter": user}).json()
            _wait(http, job["id"])
        form = {"user": list(SERVED), "sha256": []}
        unrated = [path for path in sorted(album.iterdir()) if path.name not in set(rated["image"])]
        new = [("image", (path.name, path.read_bytes())) for path in unrated]
        ask("score", "POST", "/v1/score", data=form, files=new)
        ask("score with intervals", "POST", "/v1/score?intervals=true", data=form, files=new)
        ask("score nobody", "POST", "/v1/score", data={"user": ["nobody"]}, files=new[:1])
        ask("score nobody anyway", "POST", "/v1/score?fallback=generic", data={"user": ["x"]}, files=new[:1])
        for user in SERVED:
            ask(f"user {user}", "GET", f"/v1/users/{user}")
            ask(f"export {user}", "GET", f"/v1/users/{user}/export")
        for adapter in (*NETWORKS, "maml", "nothing"):
            ask(f"fit refused {adapter}", "POST", "/v1/users/auto/fit", params={"adapter": adapter})
        ask("users", "GET", "/v1/users")
        ask("models", "GET", "/v1/models")
        ask("rollback refused", "POST", "/v1/users/auto/rollback", json={"version": 9})
        ask("erase", "DELETE", "/v1/users/bias")
        ask("erased", "GET", "/v1/users/bias")
        ask("description", "GET", "/openapi.json")
    return found


def _wait(http: httpx.Client, job: str) -> None:
    while http.get(f"/v1/jobs/{job}").json()["state"] in ("queued", "running"):
        time.sleep(0.05)


def _files(place: Path, *patterns: str) -> Outputs:
    return {f"file {path.name}": path.read_bytes() for what in patterns for path in sorted(place.glob(what))}


def _rows(store: Path) -> Outputs:
    """The rows of every table of a store; those of states with their bytes."""
    connection = sqlite3.connect(store)
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = {
        f"store {name}": repr(sorted(connection.execute(f"SELECT * FROM {name}"), key=repr)).encode()  # noqa: S608
        for name in sorted(tables)
        if not name.startswith("sqlite_")
    }
    connection.close()
    return found


if __name__ == "__main__":
    main()
