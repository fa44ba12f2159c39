"""Servers and their database are killed in turn under load: what was acknowledged is there in the end.

    .ci/postgres uv run --group dev python benchmarks/chaos.py --minutes 10

Three servers of `piaa-lite` on one PostgreSQL; eight clients that rate photos, score, and ask for fits, each
for a user of its own and at whichever server. Every few seconds a server is killed (SIGKILL) and started
anew, or the database is ended at once, and recovers by its log. Counted are ratings that were answered with
200 and are not in the store, fits, versions, and what clients were answered. Rounds of some minutes, each in
an empty database, are kept as they end: the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol

import httpx
import numpy as np
from attack import quick_photo
from record import Steps, table, tell, write_result
from serving import Served

from generic.seeds import stream
from piaa.store.place import open_database
from piaa.store.store import Store

N_SERVERS, N_CLIENTS, N_PHOTOS = 3, 8, 10


class Cluster:
    """The servers, each of them replaced when it is killed."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.servers: list[Served | None] = [Served(url) for _ in range(N_SERVERS)]
        self.killed: Counter[str] = Counter()

    def url(self, draw: np.random.Generator) -> str:
        """Of one that is there."""
        return str(draw.choice([one.url for one in self.servers if one is not None]))

    def kill(self, place: int) -> None:
        """SIGKILL, and another one in its place."""
        server = self.servers[place]
        self.servers[place] = None
        if server is not None:
            server.kill()
            self.killed["server"] += 1
        self.servers[place] = Served(self._url)

    def restart_database(self) -> None:
        """End the database at once, and start it again."""
        words = shlex.split(os.environ["PIAA_TEST_POSTGRES_RESTART"].replace("-m fast", "-m immediate"))
        root = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        subprocess.run([*root, *words], check=True)
        self.killed["database"] += 1

    def stop(self) -> None:
        """End all."""
        for one in self.servers:
            if one is not None:
                one.kill()


class Servers(Protocol):
    """What a client asks."""

    def url(self, draw: np.random.Generator) -> str:
        """Of the server that gets the next request."""


class Client(threading.Thread):
    """One user's client, and what it knows of her ratings."""

    def __init__(self, number: int, servers: Servers, end: float) -> None:
        super().__init__(daemon=True)
        self.user, self.end, self._servers = f"user-{number}", end, servers
        self._draw, self._http = stream(number, "chaos", "client"), httpx.Client(timeout=60)
        self.answers: Counter[str] = Counter()
        self.may: dict[str, set[float]] = {}
        """Scores of each photo that may be kept: the last acknowledged one, and what was sent since."""
        self.must: set[str] = set()

    def run(self) -> None:
        """Ask until the end."""
        with self._http:
            while time.monotonic() < self.end:
                for act in (self._rate, self._rate, self._score, self._fit):
                    act()

    def _call(self, what: str, path: str, **options: Any) -> bool:
        status = self._ask(self._servers.url(self._draw), what, path, **options)
        return status is not None and status < 300

    def _ask(self, url: str, what: str, path: str, **options: Any) -> int | None:
        """The status of one request to a server; None if there was no answer."""
        try:
            answer = self._http.post(url + path, **options)
        except httpx.TransportError as error:
            self.answers[f"{what}: {type(error).__name__}"] += 1
            return None
        self.answers[f"{what}: {answer.status_code}"] += 1
        return answer.status_code

    def _rate(self) -> None:
        number, score = int(self._draw.integers(N_PHOTOS)), float(self._draw.integers(1, 6))
        name = f"{number}.jpg"
        self.may.setdefault(name, set()).add(score)
        data = {"ratings": json.dumps([{"image": name, "score": score}])}
        files = {"image": (name, quick_photo(number))}
        if self._call("rate", f"/v1/users/{self.user}/ratings", data=data, files=files):
            self.must.add(name)
            self.may[name] = {score}

    def _score(self) -> None:
        files = {"image": quick_photo(int(self._draw.integers(N_PHOTOS)))}
        data = {"user": self.user}
        self._call("score", "/v1/score", params={"fallback": "generic"}, data=data, files=files)

    def _fit(self) -> None:
        self._call("fit", f"/v1/users/{self.user}/fit", params={"adapter": "ridge"})

    def lost(self, kept: dict[str, float]) -> int:
        """How many acknowledged ratings are not in the store, or are with a score that nobody sent since."""
        absent = self.must - set(kept)
        return len(absent) + sum(kept[name] not in self.may[name] for name in self.must - absent)


def settle(database: Any, seconds: float = 180) -> None:  # noqa: ANN401
    """Wait until no fit waits or runs."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with database.reading() as sql:
            if not sql.run("SELECT 1 FROM jobs WHERE state IN ('queued', 'running')"):
                return
        time.sleep(0.5)


def measure(url: str, minutes: float) -> dict[str, Any]:
    """The whole run."""
    cluster, draw = Cluster(url), stream(0, "chaos", "killer")
    end = time.monotonic() + 60 * minutes
    clients = [Client(number, cluster, end) for number in range(N_CLIENTS)]
    for one in clients:
        one.start()
    while time.monotonic() < end:
        time.sleep(draw.uniform(3, 8))
        if draw.random() < 0.25:
            cluster.restart_database()
        else:
            cluster.kill(int(draw.integers(N_SERVERS)))
    for one in clients:
        one.join()
    found = {"killed": dict(cluster.killed), **outcome(url, clients)}
    cluster.stop()
    return found


def outcome(url: str, clients: Sequence[Client]) -> dict[str, Any]:
    """What clients were answered, and what is in the store when all fits have ended."""
    database = open_database(url)
    settle(database)
    store, answers = Store(database=database), Counter[str]()
    for one in clients:
        answers.update(one.answers)
    kept = {one.user: store.said(one.user, "").ratings for one in clients}
    lost = sum(one.lost({it.image: it.score for it in kept[one.user]}) for one in clients)
    with database.reading() as sql:
        states = {
            str(state): int(n) for state, n in sql.run("SELECT state, count(*) FROM jobs GROUP BY state")
        }
        versions = int(sql.run("SELECT sum(last_version) FROM users")[0][0])  # servers tidy old ones away
        own = len(sql.run("SELECT DISTINCT user_id, version FROM jobs WHERE state = 'done'"))
    database.close()
    return {
        "answers": dict(answers),
        "jobs": states,
        "counts": {
            "acknowledged": answers["rate: 200"],
            "lost": lost,
            "versions": versions,
            "jobs_with_a_version_of_their_own": own,
        },
    }


def empty(url: str) -> None:
    """Forget what the round before left."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")


def added(rounds: Sequence[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """The sums of all rounds."""
    sums: dict[str, Counter[str]] = {}
    for one in rounds:
        for name, counts in one.items():
            sums.setdefault(name, Counter()).update(counts)
    return {name: dict(sorted(counts.items())) for name, counts in sums.items()}


def main() -> None:
    """Measure and write the result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--round", type=float, default=2, help="minutes of one round")
    options = parser.parse_args()
    url, steps = os.environ["PIAA_TEST_POSTGRES_URL"], Steps("chaos", {"round": options.round})

    def one_round() -> dict[str, Any]:
        empty(url)
        return measure(url, options.round)

    with tempfile.TemporaryDirectory() as home:
        os.environ["PIAA_CACHE_DIR"] = home
        n_rounds = max(1, round(options.minutes / options.round))
        found = added([steps.do(f"round {number}", one_round) for number in range(n_rounds)])
    counts, jobs, killed = found["counts"], found["jobs"], found["killed"]
    rows = [[name, f"{n:,}"] for name, n in found["answers"].items()]
    markdown = (
        f"{options.minutes:g} minutes, in rounds of {options.round:g}: servers were killed "
        f"{killed.get('server', 0)} times, the database {killed.get('database', 0)} times. Of "
        f"{counts['acknowledged']:,} acknowledged ratings {counts['lost']} were lost. "
        f"{jobs.get('done', 0):,} fits were done, {counts['jobs_with_a_version_of_their_own']:,} with a "
        f"version of their own, of {counts['versions']:,} versions made; {jobs.get('failed', 0)} failed.\n\n"
        + table(["what was asked, and the answer", "times"], rows)
    )
    command = f".ci/postgres uv run --group dev python benchmarks/chaos.py --minutes {options.minutes:g}"
    write_result("chaos", command, {**found, "markdown": markdown})
    steps.end()
    tell(markdown)


if __name__ == "__main__":
    main()
