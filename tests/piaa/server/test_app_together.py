"""Two servers and a terminal on one store, at the same time: nothing that was acknowledged is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
N_HTTP, N_TERMINAL, N_WORKERS = 40, 5, 4
"""Photos rated over HTTP, one a request; by each of the terminal's two commands; and clients."""


@pytest.fixture(params=["file", pytest.param("postgres", marks=pytest.mark.slow)])
def place(request, tmp_path):
    return tmp_path / "piaa.db" if request.param == "file" else request.getfixturevalue("postgres")


def start_terminal(place, model, folder, scores: dict[str, int]) -> subprocess.Popen:
    """``piaa fit-user --add`` in a process of its own."""
    table = folder / f"{min(scores)}.csv"
    table.write_text("image,score\n" + "".join(f"{name},{score}\n" for name, score in scores.items()))
    command = [
        sys.executable,
        "-m",
        "cli",
        "fit-user",
        "--user",
        "ana",
        "--ratings",
        table,
        "--images",
        folder,
    ]
    command += ["--add", "--adapter", "bias", "--model", model, "--store", place, "--cache", folder / "cache"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        list(map(str, command)), cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_fifty_ratings_at_once(serve, place, tmp_path, picture, tiny_model, piaa):
    servers = [serve(place, "--no-keys", "--rate", "100000") for _ in range(2)]
    folder = tmp_path / "photos"
    folder.mkdir()
    given = {f"{at:02d}.jpg": 1 + at % 5 for at in range(N_HTTP + 2 * N_TERMINAL)}
    for at, name in enumerate(given):
        (folder / name).write_bytes(picture(100 + at))
    names = list(given)
    first, second = names[N_HTTP : N_HTTP + N_TERMINAL], names[N_HTTP + N_TERMINAL :]
    # Somebody known, whom the terminal may add to from the start.
    servers[0].rate("ana", folder, {names[0]: given[names[0]]})
    terminals = [
        start_terminal(place, tiny_model, folder, {name: given[name] for name in part})
        for part in (first, second)
    ]

    def rate_until_the_terminals_end(worker: int) -> set[int]:
        seen, mine = set(), names[1 + worker : N_HTTP : N_WORKERS]
        while not seen or any(terminal.poll() is None for terminal in terminals):
            seen |= {servers[worker % 2].rate("ana", folder, {one: given[one]}).status_code for one in mine}
        return seen

    with ThreadPoolExecutor(N_WORKERS) as pool:
        jobs = [server.http.post("/v1/users/ana/fit", params={"adapter": "ridge"}) for server in servers]
        assert set().union(*pool.map(rate_until_the_terminals_end, range(N_WORKERS))) == {200}
    for terminal in terminals:
        _, errors = terminal.communicate(timeout=120)
        assert terminal.returncode == 0, errors
    assert {servers[1].follow(job.json()["id"])["state"] for job in jobs} == {"done"}
    seen = [server.http.get("/v1/users/ana").json() for server in servers]
    assert seen[0] == seen[1]
    assert {one["image"]: one["score"] for one in seen[0]["ratings"]} == given
    shown = json.loads(piaa("users", "show", "ana", "--store", place, "--json").stdout)
    versions = [one["version"] for one in seen[0]["versions"]]
    assert versions == list(range(1, len(versions) + 1))
    assert sorted(one["adapter"] for one in seen[0]["versions"])[:2] == ["bias", "bias"]
    assert json.dumps(shown).count('"score"') >= len(given)
    assert servers[0].fit("ana", "bias")["state"] == "done"
    last = servers[1].http.get("/v1/users/ana").json()["versions"][-1]
    assert last["n_ratings"] == len(given)
    for server in servers:
        server.stop()
