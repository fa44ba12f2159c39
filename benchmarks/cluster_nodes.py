"""A simulation of 10^8 photos on 100 nodes that die: when it is done, what is lost, which shards are best.

    python benchmarks/cluster_nodes.py --photo-seconds 0.144

Discrete events. A node has cores, each of which takes one shard after the other from one list; a shard takes
its photos' time (one core each, as measured), spread as shards' sizes are (half to twice as many photos as
asked for), and a fixed time to be handed out, read and written. Nodes die at random times (exponential) and
come back after some minutes; the shards that they were at begin anew elsewhere. Nothing of it was run on
nodes. 3 draws each.
"""

from __future__ import annotations

import argparse
import heapq
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from itertools import count
from typing import Any

import numpy as np
from record import table, write_result

from generic.seeds import stream
from piaa.cluster.cutting import cut
from piaa.cluster.found import Found

SIZES = (300, 1_000, 3_000, 10_000, 30_000, 100_000)
PER_SHARD_S = 2.0
"""Handing out, reading the shard's list, writing its vectors, beside the photos."""
AWAY_S = 600.0
"""Until a dead node is replaced."""
DRAWS = 3


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """What there is."""

    photos: int
    nodes: int
    cores: int
    photo_s: float
    """Seconds of one core for one photo."""
    days: float
    """Between two deaths of one node, on average."""


@cache
def spread(size: int) -> np.ndarray:
    """Sizes of shards as ``piaa manifest`` cuts them, in units of what was asked for."""
    photos = (Found(f"/photos/{n:09}.jpg", 1, "") for n in range(60 * min(size, 1_000)))
    sizes = np.array([len(one.photos) for one in cut(photos, min(size, 1_000))][:-1])
    return sizes / min(size, 1_000)


class Run:
    """One draw.

    Args:
        cluster: what there is.
        seconds: of each shard.
        rng: when nodes die.
    """

    def __init__(self, cluster: Cluster, seconds: list[float], rng: np.random.Generator) -> None:
        self._cluster, self._left, self._rng = cluster, seconds, rng
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = count()
        self._running: dict[tuple[int, int], tuple[float, float]] = {}
        self._lives = [0] * cluster.nodes
        self.lost = 0.0
        """Core seconds of shards that were begun and not ended."""
        self.end = 0.0
        """Seconds until the last shard was done."""

    def go(self) -> None:
        """To the end."""
        for node in range(self._cluster.nodes):
            self._come(node, 0.0)
        while self._running or self._left:
            at, _, happen = heapq.heappop(self._events)
            happen(at)

    def _at(self, when: float, happen: Callable[[float], None]) -> None:
        heapq.heappush(self._events, (when, next(self._order), happen))

    def _come(self, node: int, now: float) -> None:
        self._at(now + self._rng.exponential(self._cluster.days * 86_400), partial(self._die, node))
        for core in range(self._cluster.cores):
            self._begin(node, core, now)

    def _begin(self, node: int, core: int, now: float) -> None:
        if self._left:
            seconds = self._left.pop()
            self._running[node, core] = (now, seconds)
            self._at(now + seconds, partial(self._end, node, core, self._lives[node]))

    def _end(self, node: int, core: int, life: int, now: float) -> None:
        if life == self._lives[node]:  # else it died meanwhile
            del self._running[node, core]
            self.end = now
            self._begin(node, core, now)

    def _die(self, node: int, now: float) -> None:
        for core in range(self._cluster.cores):
            if (node, core) in self._running:
                begun, seconds = self._running.pop((node, core))
                self.lost += now - begun
                self._left.append(seconds)
        self._lives[node] += 1
        self._at(now + AWAY_S, partial(self._come, node))


def simulate(cluster: Cluster, size: int, draw: int) -> dict[str, float]:
    """Hours until the last shard is done, and core hours that were lost."""
    rng = stream(draw, "cluster_nodes", str(size))
    factors = rng.choice(spread(size), cluster.photos // size)
    seconds = factors / factors.mean() * size * cluster.photo_s + PER_SHARD_S
    run = Run(cluster, seconds.tolist(), rng)
    run.go()
    return {"hours": run.end / 3600, "lost_core_hours": run.lost / 3600}


def measure(cluster: Cluster) -> list[dict[str, Any]]:
    """Every size, the mean of the draws; ``ideal`` is all work on all cores without any death."""
    ideal = cluster.photos * cluster.photo_s / cluster.nodes / cluster.cores / 3600
    found = []
    for size in SIZES:
        draws = [simulate(cluster, size, draw) for draw in range(DRAWS)]
        means = {name: float(np.mean([one[name] for one in draws])) for name in draws[0]}
        found.append({"shard": size, "shards": cluster.photos // size, **means, "ideal_hours": ideal})
    return found


def main() -> None:
    """Simulate and write the results; see the module's text."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=int, default=100_000_000)
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--cores", type=int, default=4)
    parser.add_argument("--photo-seconds", type=float, required=True, help="of one core, as measured")
    parser.add_argument("--days", default="30,1", help="between two deaths of one node; several")
    arguments = parser.parse_args()
    days = [float(it) for it in arguments.days.split(",")]
    found = {
        f"{each:g}": measure(
            Cluster(
                photos=arguments.photos,
                nodes=arguments.nodes,
                cores=arguments.cores,
                photo_s=arguments.photo_seconds,
                days=each,
            )
        )
        for each in days
    }
    rows = [
        (
            f"{one['shard']:,}",
            f"{one['shards']:,}",
            *(
                f"{it['hours']:.2f} h, {it['lost_core_hours']:,.1f} core hours lost"
                for it in (found[f"{each:g}"][place] for each in days)
            ),
        )
        for place, one in enumerate(found[f"{days[0]:g}"])
    ]
    ideal = found[f"{days[0]:g}"][0]["ideal_hours"]
    text = table(
        ("photos in a shard", "shards", *(f"a node dies every {each:g} days" for each in days)), rows
    )
    text += f"\n\nAll cores at work without a death: {ideal:.2f} h."
    command = f"python benchmarks/cluster_nodes.py --photos {arguments.photos} --nodes {arguments.nodes}"
    command += f" --cores {arguments.cores} --photo-seconds {arguments.photo_seconds} --days {arguments.days}"
    write_result("cluster_nodes", command, {"days": found, "markdown": text})
    print(text)


if __name__ == "__main__":
    main()
