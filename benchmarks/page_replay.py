"""Real raters replayed through the page's own interface: asked by what teaches most, and at random.

    uv run --group dev python benchmarks/page_replay.py ROOT --people 5

ROOT is the folder ``oasis_beauty`` with ``ratings.csv`` and ``images``. Of each person 60 photos, drawn by
chance, are never asked for: her ratings of these are compared with the page's scores. Of the others she gives
100 answers, her ratings of 1 to 7 as stars of 1 to 5. ``piaa-lite`` was trained on these photos and people,
so how well it ranks them says little; how the two ways of asking differ is what is asked here.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from record import table, tell, write_result
from starlette.testclient import TestClient

from generic.metrics import spearman
from generic.seeds import stream
from piaa import load_model
from piaa.page.app import create_app
from piaa.page.page_state import PageState, open_page

SHOTS, N_TEST, PORT, TOKEN = (10, 30, 100), 60, 8765, "of this script alone"


def ratings_of(root: Path, n_people: int) -> dict[str, dict[str, float]]:
    """Ratings of some people with many of them, by the photo's name; who they are is drawn by their names."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    with (root / "ratings.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            found[row["user"]][Path(row["image"]).name] = float(row["score"])
    able = sorted(user for user, rated in found.items() if len(rated) >= SHOTS[-1] + N_TEST)
    chosen = stream(0, "page replay").permutation(len(able))[:n_people]
    return {able[number]: found[able[number]] for number in sorted(chosen)}


def replay(
    client: TestClient, state: PageState, user: str, rated: dict[int, float], *, asked: bool
) -> list[float]:
    """SRCC with her ratings of the photos that are not asked for, after each of ``SHOTS`` answers."""
    drawn = [int(row) for row in stream(0, "page replay", user).permutation(sorted(rated))]
    test, order = drawn[:N_TEST], drawn[N_TEST:]
    other, passed, given, found = f"{user} {asked}", set(range(len(state.album))) - set(order), set(), []
    for k in range(1, SHOTS[-1] + 1):
        left_out = ",".join(map(str, sorted(passed)))
        rows = client.get("/api/ask", params={"user": other, "leave_out": left_out}).json()["rows"]
        row = next(row for row in (rows if asked else order) if row not in given)
        stars = round(1 + 4 * (rated[row] - 1) / 6)
        client.post("/api/rate", json={"user": other, "row": row, "stars": stars}).raise_for_status()
        given.add(row)
        end = time.monotonic() + 60
        while len(state.learner.of(other).taste.said.ratings) < k and time.monotonic() < end:
            time.sleep(0.002)
        if k in SHOTS:
            scores = np.frombuffer(client.get("/api/scores", params={"user": other}).content, "<f4")
            found.append(spearman(scores[test].astype(float), np.array([rated[row] for row in test])))
    return found


def main() -> None:
    """Replay everybody; see the module's text."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path)
    parser.add_argument("--people", type=int, default=5)
    parser.add_argument("--cache", type=Path, help="a feature cache that knows the photos")
    arguments = parser.parse_args()
    people = ratings_of(arguments.root, arguments.people)
    found: dict[bool, list[list[float]]] = {True: [], False: []}
    with tempfile.TemporaryDirectory() as folder:
        model = load_model(cache=arguments.cache or Path(folder) / "cache")
        state = open_page(arguments.root / "images", model, store=Path(folder) / "piaa.db")
        address = f"http://127.0.0.1:{PORT}"
        with TestClient(
            create_app(state, TOKEN, PORT), base_url=address, headers={"Origin": address}
        ) as client:
            client.get(f"/?token={TOKEN}").raise_for_status()
            while state.album.n_known < len(state.album):
                time.sleep(0.1)
            rows = {photo.name: row for row, photo in enumerate(state.album.photos)}
            for user, ratings in people.items():
                rated = {rows[name]: score for name, score in ratings.items() if name in rows}
                for asked, results in found.items():
                    results.append(replay(client, state, user, rated, asked=asked))
                    tell(f"{user} {'asked' if asked else 'random'}: {np.round(results[-1], 3)}")
    figures: dict[str, Any] = {"people": list(people), "asked": found[True], "random": found[False]}
    rows_of = [
        [name, *(f"{value:.3f}" for value in np.mean(found[asked], axis=0))]
        for name, asked in (("what teaches most", True), ("at random", False))
    ]
    header = [f"SRCC, mean over {len(people)} people", *(f"{k} answers" for k in SHOTS)]
    command = f"uv run --group dev python benchmarks/page_replay.py ROOT --people {arguments.people}"
    print(write_result("page_replay", command, {**figures, "markdown": table(header, rows_of)}))


if __name__ == "__main__":
    main()
