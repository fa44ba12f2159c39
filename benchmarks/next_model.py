"""People go over to another model on a running server: is anybody refused, and how well is everybody ranked?

    uv run python benchmarks/next_model.py ROOT --before OLD --after NEW --people 1000

People and ratings as in `refit_store.py`, of a list of photos that neither model has learned from. A server
of the model of before alone scores all photos for everybody; then one of the model of now with `--before` is
sent the photos again, as clients would, while somebody else asks for scores of people drawn at random all the
time. The SRCC is of what is answered over HTTP: by the model of before; when half of the people or more have
moved; when all have. `tests/benchmarks/test_next_model.py` has a small version with tiny models.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import re
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from oasis import SCALE, load_oasis
from record import table, tell, write_result
from refit_store import Name, names_of
from serving import Served

import piaa
from generic.cache.features import FeatureCache
from generic.metrics import spearman
from generic.model.checkpoint import read_header
from generic.seeds import stream
from piaa.people.refit import refit_people
from piaa.store.records import SeenPhoto
from piaa.store.saying import Saying
from piaa.store.store import Store

AT_ONCE = 32
"""Photos in a request."""


class Asker(threading.Thread):
    """Somebody who asks for scores of people, one after the other, of a photo that was sent.

    Args:
        url: of the server.
        users: who is asked about.
        photo: the hash of a photo that the server knows.
    """

    def __init__(self, url: str, users: Sequence[str], photo: str) -> None:
        super().__init__(daemon=True)
        self._url, self._users, self._photo = url, users, photo
        self._draw, self._done = stream(0, "next model", "asker"), threading.Event()
        self.statuses: Counter[int] = Counter()
        self.seconds: list[float] = []

    def run(self) -> None:
        """Ask until it is stopped."""
        with httpx.Client(base_url=self._url, timeout=120) as http:
            while not self._done.is_set():
                asked = {"users": [str(self._draw.choice(self._users))], "sha256": [self._photo]}
                started = time.perf_counter()
                self.statuses[http.post("/v1/score", json=asked).status_code] += 1
                self.seconds.append(time.perf_counter() - started)

    def stop(self) -> None:
        """End."""
        self._done.set()
        self.join()


def check_unknown(model: Path, photos: Sequence[Path]) -> None:
    """Raises ValueError if a model has learned from these photos: its SRCC of them would say nothing."""
    learned = set(read_header(model).training.get("images_sha256", ()))
    known = [path.name for path in photos if hashlib.sha256(path.read_bytes()).hexdigest() in learned]
    if known:
        raise ValueError(
            f"{model.name} has learned from {len(known)} of {len(photos)} photos, the first is {known[0]!r}; "
            "name a model that left the list out"
        )


def learn(place: Path, model: str | Path, people: Sequence[Name], photos: Sequence[Path]) -> None:
    """A store of people learned on the model of before."""
    opened, store = piaa.load_model(model, cache=False), Store(place)
    with FeatureCache.open(None) as cache:
        embedded = list(opened.generic.embed(photos, cache=cache))
    seen = [
        SeenPhoto(identity=one.identity, sha256=one.digest, image=path.name, vector=one.vector)
        for path, one in zip(photos, embedded, strict=True)
    ]
    scale = (SCALE.low, SCALE.high)
    for one in people:
        ratings = [(seen[row], float(score)) for row, score in zip(one.rated, one.scores, strict=True)]
        said = Saying(ratings=ratings, model_hash=opened.generic.hash, source="table", scale=scale)
        store.say(one.user, said)
    left = [it for it in refit_people(opened, store, [one.user for one in people], None) if not it.version]
    if left:
        raise RuntimeError(f"{len(left)} people were not learned, the first: {left[0].reason}")


def send(server: Served, photos: Sequence[Path]) -> list[str]:
    """Send all photos; their hashes."""
    found: list[str] = []
    for start in range(0, len(photos), AT_ONCE):
        files = [("image", (path.name, path.read_bytes())) for path in photos[start : start + AT_ONCE]]
        answer = server.http.post(
            "/v1/score", params={"fallback": "generic"}, data={"user": "nobody"}, files=files
        )
        found += [one["sha256"] for one in answer.raise_for_status().json()["images"]]
    return found


def rank(server: Served, people: Sequence[Name], digests: Sequence[str]) -> tuple[float, Counter[str]]:
    """Mean SRCC of everybody's scores of photos that she did not rate; how many each model answered."""
    users = [one.user for one in people]
    scores: list[np.ndarray] = []
    models: list[str] = []
    for start in range(0, len(digests), AT_ONCE):
        asked = {"users": users, "sha256": digests[start : start + AT_ONCE]}
        lines = server.http.post("/v1/score", json=asked).raise_for_status().json()["users"]
        scores.append(np.array([line["scores"] for line in lines]))
        models = [line["model_hash"] for line in lines]
    table = np.concatenate(scores, axis=1)
    found = [spearman(row[one.left], one.truth) for row, one in zip(table, people, strict=True)]
    return float(np.nanmean(found)), Counter(models)


def n_left(server: Served) -> int:
    """Who has not moved yet, as the server's gauge says."""
    text = server.http.get("/metrics").text
    return int(float(re.search(r"^piaa_users_not_moved (\S+)", text, re.MULTILINE)[1]))  # type: ignore[index]


@contextlib.contextmanager
def serving(place: Path, *options: str) -> Iterator[Served]:
    """A server that ends with the block, however that ends."""
    server = Served(place, *options)
    try:
        yield server
    finally:
        server.stop()


def move(
    place: Path, before: str | Path, after: str | Path, people: Sequence[Name], photos: Sequence[Path]
) -> dict[str, Any]:
    """Everybody of a store that :func:`learn` made goes over; see the module's text."""
    with serving(place, "--model", str(before)) as alone:
        srcc = {"before": rank(alone, people, send(alone, photos))[0]}
    tell(f"before: SRCC {srcc['before']:.4f}")
    with serving(place, "--model", str(after), "--before", str(before)) as server:
        started = time.perf_counter()
        asker = Asker(server.url, [one.user for one in people], send(server, photos[:1])[0])
        asker.start()
        digests = send(server, photos)
        sent = time.perf_counter() - started
        during: Counter[str] = Counter()
        left = len(people)
        while left:
            time.sleep(0.2)
            left = n_left(server)
            if not during and left <= len(people) / 2:
                srcc["during"], during = rank(server, people, digests)
                tell(f"during: SRCC {srcc['during']:.4f}, by model {dict(during)}")
        seconds = time.perf_counter() - started
        asker.stop()
        srcc["after"], models = rank(server, people, digests)
    return {
        "people": len(people),
        "photos": len(photos),
        "srcc": srcc,
        "models_during": sorted(during.values()),
        "models_after": len(models),
        "statuses": {str(status): n for status, n in asker.statuses.items()},
        "p50_ms": 1000 * float(np.quantile(asker.seconds, 0.5)),
        "p99_ms": 1000 * float(np.quantile(asker.seconds, 0.99)),
        "photos_sent_s": sent,
        "all_moved_s": seconds,
    }


def markdown(found: dict[str, Any]) -> str:
    """What the page says."""
    moments = ("before", "during", "after")
    values = [f"{found['srcc'][one]:.3f}" for one in moments]
    rows = [["mean SRCC of what is answered", *values]]
    asked = ", ".join(f"{n:,} answered {status}" for status, n in found["statuses"].items())
    return (
        table(["", "by the model of before", "half or more have moved", "all have moved"], rows)
        + f"\n\n{found['people']:,} people, {found['photos']} photos sent again: all sent after "
        f"{found['photos_sent_s']:.0f} s, everybody moved after {found['all_moved_s']:.0f} s. Scores asked "
        f"for all the while: {asked}; p50 {found['p50_ms']:.0f} ms, p99 {found['p99_ms']:.0f} ms."
    )


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="folder of the data set")
    parser.add_argument("--before", type=Path, required=True)
    parser.add_argument("--after", type=Path, required=True)
    parser.add_argument("--list", type=int, default=2, help="that both models left out")
    parser.add_argument("--people", type=int, default=1000)
    given = parser.parse_args()
    data = load_oasis(given.root)
    rows = np.flatnonzero(data.lists == given.list)
    place_of = {int(row): place for place, row in enumerate(rows)}
    people = [
        Name(
            user=one.user,
            rated=np.array([place_of[int(row)] for row in one.rated]),
            scores=one.scores,
            left=np.array([place_of[int(row)] for row in one.left]),
            truth=one.truth,
        )
        for one in names_of(data, given.list, given.people)
    ]
    photos = [data.paths[row] for row in rows]
    for model in (given.before, given.after):
        check_unknown(model, photos)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "piaa.db")
        learn(place, given.before, people, photos)
        tell(f"{len(people)} people learned on {given.before.name}")
        found = move(place, given.before, given.after, people, photos)
    found["markdown"] = markdown(found)
    command = f"python benchmarks/next_model.py ROOT --before OLD --after NEW --people {given.people}"
    write_result("next_model", command, {**found, "models": [given.before.name, given.after.name]})
    tell("\n" + str(found["markdown"]))


if __name__ == "__main__":
    main()
