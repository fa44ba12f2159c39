"""Two servers behind a balancer, and one is taken away under load: errors, time to recover, what is lost.

    .ci/postgres uv run --group dev python benchmarks/failover.py

Two servers of `piaa-lite` on one PostgreSQL; eight clients, each four times a second: scores of known photos,
ratings and, seldom, fits. A client whose connection fails takes that for the answer; or, in the other half of
the rounds, asks once more, as balancers do. After some seconds one server is killed (SIGKILL), after as many
another one is started in its place, and when that is ready as many pass again. Each round has an empty
database, and is kept as it ends: the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import math
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import httpx
import numpy as np
from attack import quick_photo
from balancer import Balancer
from chaos import N_PHOTOS, Client, added, empty, outcome
from record import Steps, table, tell, write_result

N_CLIENTS, EVERY_S, WINDOW_S, ENOUGH = 8, 0.25, 2.0, 0.95
"""Clients and how often each asks; the rate is back if so much of it was answered over such a time."""
KINDS = {"an error": 0, "a second try": 1}


class Paced(Client):
    """A client that asks at a steady pace.

    Args:
        number: of the client.
        balancer: through which it asks.
        tries: how often it asks again where its connection failed.
    """

    def __init__(self, number: int, balancer: Balancer, tries: int) -> None:
        super().__init__(number, balancer, math.inf)
        self._tries, self._number, self._balancer = tries, number, balancer
        self.answered: list[float] = []
        """When, by the monotonic clock."""
        self.waits: list[float] = []
        """Seconds of each call, a second try included."""
        self.errors: Counter[str] = Counter()
        """What came to the client, if it was not what it asked for."""

    def run(self) -> None:
        """Ask until the end, from a moment of its own on; what is rated first a fit can learn from."""
        acts = (*(self._rate, self._score, self._score) * 3, self._fit)
        due = time.monotonic() + EVERY_S * self._number / N_CLIENTS
        with self._http:
            for act in itertools.cycle(acts):
                time.sleep(max(0.0, due - time.monotonic()))
                if due > self.end:
                    return
                act()
                due += EVERY_S

    def _call(self, what: str, path: str, **options: Any) -> bool:
        started, status, url = time.monotonic(), None, None
        for _ in range(1 + self._tries):
            url = self._balancer.url(but=url)
            status = self._ask(url, what, path, **options)
            if status is not None:
                break
        now = time.monotonic()
        self.waits.append(now - started)
        if status is not None and status < 300:
            self.answered.append(now)
            return True
        self.errors[f"{what}: {status or 'connection'}"] += 1
        return False

    def _score(self) -> None:
        digest = digest_of(int(self._draw.integers(N_PHOTOS)))
        asked = {"users": [self.user], "sha256": [digest], "fallback": "generic"}
        self._call("score", "/v1/score", json=asked)


def digest_of(number: int) -> str:
    """Of a photo's file."""
    return hashlib.sha256(quick_photo(number)).hexdigest()


def measure(url: str, seconds: float, tries: int) -> dict[str, Any]:
    """One round.

    Args:
        url: of an empty database.
        seconds: before a server is killed, until another is started, and from when that listens.
        tries: how often a client asks again where its connection failed.
    """
    balancer = Balancer(url)
    try:
        send_photos(balancer.url())
        clients = [Paced(number, balancer, tries) for number in range(N_CLIENTS)]
        started = time.monotonic()
        for one in clients:
            one.start()
        time.sleep(seconds)
        killed = time.monotonic()
        balancer.kill()
        time.sleep(seconds)
        start_s = balancer.replace()
        time.sleep(seconds)
        for one in clients:
            one.end = time.monotonic()
        for one in clients:
            one.join()
        return {"start_s": start_s, **told(clients, started, killed), **outcome(url, clients)}
    finally:
        balancer.stop()


def send_photos(url: str) -> None:
    """Have all photos seen, by one of the servers: the other one knows them from the store."""
    for number in range(N_PHOTOS):
        asked = {"params": {"fallback": "generic"}, "data": {"user": "user-0"}}
        sent = {"image": quick_photo(number)}
        httpx.post(f"{url}/v1/score", **asked, files=sent, timeout=60).raise_for_status()


def told(clients: Sequence[Paced], started: float, killed: float) -> dict[str, Any]:
    """What clients saw of it: errors, and how their requests went on."""
    answered = np.sort(np.concatenate([one.answered for one in clients]))
    errors = Counter[str]()
    for one in clients:
        errors.update(one.errors)
    # Servers are slower at first: the rate is that of the second half of the time before.
    half = (started + killed) / 2
    rate = rate_in(answered, half, killed)
    return {
        "asked": sum(len(one.waits) for one in clients),
        "errors": dict(errors),
        "longest_wait_s": max(max(one.waits) for one in clients),
        "rate_before": rate,
        "rate_after": rate_in(answered, clients[0].end - (killed - half), clients[0].end),
        "recovered_s": recovered(answered, killed, ENOUGH * rate),
    }


def rate_in(answered: np.ndarray, start: float, end: float) -> float:
    """Answers a second between two moments."""
    first, last = np.searchsorted(answered, (start, end))
    return float(last - first) / (end - start)


def recovered(answered: np.ndarray, killed: float, rate: float) -> float | None:
    """Seconds from the kill until answers come at a rate for so long; None if they never do."""
    for after in np.arange(0, answered[-1] - WINDOW_S - killed, 0.1):
        if rate_in(answered, killed + after, killed + after + WINDOW_S) >= rate:
            return float(after)
    return None


def summary(rounds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Of rounds of one kind: sums of counts, medians and the worst of times."""
    recovered = [math.inf if one["recovered_s"] is None else one["recovered_s"] for one in rounds]
    counts = added([{name: one[name] for name in ("errors", "answers", "jobs", "counts")} for one in rounds])
    return {
        **counts,
        "asked": sum(one["asked"] for one in rounds),
        "recovered_s": sorted(recovered),
        "longest_wait_s": max(one["longest_wait_s"] for one in rounds),
        "rate_before": float(np.median([one["rate_before"] for one in rounds])),
        "rate_after": float(np.median([one["rate_after"] for one in rounds])),
    }


def markdown(found: dict[str, dict[str, Any]]) -> str:
    """The table of the page."""

    def row(name: str, cell: Callable[[dict[str, Any]], str]) -> list[str]:
        return [name, *(cell(one) for one in found.values())]

    def times(one: dict[str, Any]) -> str:
        return f"{np.median(one['recovered_s']):.1f} / {max(one['recovered_s']):.1f}"

    rows = [
        row("requests", lambda one: f"{one['asked']:,}"),
        row("errors that came to a client", lambda one: f"{sum(one['errors'].values()):,}"),
        row("until as much is answered as before, median / longest s", times),
        row("the longest wait, s", lambda one: f"{one['longest_wait_s']:.1f}"),
        row(
            "answers a second before / in the end",
            lambda one: f"{one['rate_before']:.1f} / {one['rate_after']:.1f}",
        ),
        row("acknowledged ratings", lambda one: f"{one['counts']['acknowledged']:,}"),
        row("of them lost", lambda one: f"{one['counts']['lost']}"),
        row("fits done", lambda one: f"{one['jobs'].get('done', 0):,}"),
        row("versions made, each by a fit of its own", versions_of),
        row("fits that failed", lambda one: f"{one['jobs'].get('failed', 0)}"),
    ]
    return table(["where a connection fails", *found], rows)


def versions_of(one: dict[str, Any]) -> str:
    """How many versions were made, and of how many fits, should the two differ."""
    n, own = one["counts"]["versions"], one["counts"]["jobs_with_a_version_of_their_own"]
    return f"{n:,}" if n == own else f"{n:,} of {own:,} fits"


def main() -> None:
    """Measure and write the result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rounds", type=int, default=3, help="of each kind")
    options = parser.parse_args()
    url = os.environ["PIAA_TEST_POSTGRES_URL"]
    steps = Steps("failover", {"seconds": options.seconds})
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in KINDS}

    def one_round(tries: int) -> dict[str, Any]:
        empty(url)
        return measure(url, options.seconds, tries)

    with tempfile.TemporaryDirectory() as home:
        os.environ["PIAA_CACHE_DIR"] = home
        for number in range(options.rounds):
            for name, tries in KINDS.items():
                rounds[name].append(steps.do(f"{name} {number}", partial(one_round, tries)))
    found = {name: summary(some) for name, some in rounds.items()}
    text = markdown(found)
    command = f".ci/postgres uv run --group dev python benchmarks/failover.py --seconds {options.seconds:g}"
    figures = {"rounds": rounds, "summary": found, "markdown": text}
    write_result("failover", f"{command} --rounds {options.rounds}", figures)
    steps.end()
    tell(text)


if __name__ == "__main__":
    main()
