"""kill -9 of real commands at moments spread over their whole run: the old state or the whole new one."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

FEW = 5
MANY = pytest.param(20, marks=pytest.mark.slow)


@pytest.mark.parametrize("n", [FEW, MANY])
def test_a_killed_fit_has_kept_all_that_was_said_or_nothing_and_a_whole_version_or_none(
    kill, piaa, fit, album, tiny_model, tmp_path, n
):
    store, table = tmp_path / "piaa.db", tmp_path / "ratings.csv"
    assert fit("ben").exit_code == 0
    options = ("--user", "ana", "--ratings", table, "--images", album, "--model", tiny_model, "--replace")
    command = kill.command("fit-user", *options)
    whole = kill.duration(command, tmp_path)
    state = dump(store)
    assert state["versions"] == [("ana", 1), ("ben", 1)]
    killed, moments = 0, kill.Moments(n, whole, "fit-user")
    for delay in moments:
        killed += moments.killed(kill.kill_after(delay, command, tmp_path))
        # What a person does next; it also undoes what the killed process had half done.
        listed = json.loads(piaa("users", "list", "--json").stdout)
        assert [row["user"] for row in listed] == ["ana", "ben"]
        now = dump(store)
        assert now["counting"] == [("ana", 10), ("ben", 10)]
        newest = (*state["versions"][:-1], ("ana", state["versions"][-2][1] + 1), ("ben", 1))
        said, learned = now["n_ratings"] - state["n_ratings"], now["versions"] != state["versions"]
        assert (said, learned) in ((0, False), (10, False), (10, True))
        assert now["versions"] == (list(newest) if learned else state["versions"])
        assert (now["state"] > state["state"]) == learned
        state = now
        scored = piaa("score", album, "--user", "ana", "--model", tiny_model, "--json")
        assert (scored.exit_code, len(json.loads(scored.stdout)["scores"])) == (0, 12)
    assert killed > n // 2
    # And the store takes the next fit.
    assert fit("ana", "--replace").exit_code == 0
    assert sorted(path.name for path in tmp_path.glob("piaa.db*")) == ["piaa.db"]


def dump(store: Path) -> dict:
    """What the store holds, read past piaa; only if SQLite finds it in order."""
    connection = sqlite3.connect(store)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        return {
            "versions": connection.execute(
                "SELECT name, number FROM versions JOIN users ON users.id = user_id ORDER BY name, number"
            ).fetchall(),
            "counting": connection.execute(
                "SELECT name, count(*) FROM ratings JOIN users ON users.id = user_id WHERE ended_by IS NULL"
                " GROUP BY name ORDER BY name"
            ).fetchall(),
            "n_ratings": connection.execute("SELECT count(*) FROM ratings").fetchone()[0],
            "state": connection.execute("SELECT sum(length(state)) FROM versions").fetchone()[0],
        }
    finally:
        connection.close()


@pytest.mark.parametrize("n", [FEW, MANY])
def test_killed_score_leaves_the_old_table_or_the_whole_new_one(kill, fit, album, tiny_model, tmp_path, n):
    assert fit().exit_code == 0
    out = tmp_path / "scores.csv"
    command = kill.command("score", album, "--user", "ana", "--model", tiny_model, "--out", out)
    whole = kill.duration(command, tmp_path)
    new = out.read_bytes()
    assert len(new.splitlines()) == 13
    old = b"image,score,low,high,generic\nyesterday.jpg,3.0,2.0,4.0,3.0\n"
    killed, moments = 0, kill.Moments(n, whole, "score")
    for delay in moments:
        out.write_bytes(old)
        killed += moments.killed(kill.kill_after(delay, command, tmp_path))
        assert out.read_bytes() in (old, new)
    assert killed > n // 2
    # The next run is not disturbed by what a killed one left.
    kill.duration(command, tmp_path)
    assert out.read_bytes() == new
