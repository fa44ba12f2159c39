"""A server tidies its store, seldom; scores of what is left are the same."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing

import pytest

from piaa.server import tidier as tidiers
from piaa.server.tidier import Tidier
from piaa.store.place import open_database
from piaa.store.tidying import Retention, TidyStore


def test_a_server_tidies_once_an_hour(store_of_versions, caplog):
    caplog.set_level("INFO")
    _, tidier = store_of_versions
    tidier.tidy()
    tidier.tidy()
    assert [record.getMessage() for record in caplog.records] == [
        "tidied: 3 n_versions, 0 n_forms, 0 n_jobs, 0 n_sent"
    ]


def test_its_thread_lets_the_first_requests_go_first(store_of_versions, monkeypatch):
    monkeypatch.setattr(tidiers, "_FIRST_S", 0.2)
    store, tidier = store_of_versions
    started = time.monotonic()
    tidier.start()
    while True:
        with store.database.reading() as sql:
            if sql.run("SELECT count(*) FROM versions") == [(5,)]:
                break
        assert time.monotonic() < started + 60
        time.sleep(0.02)
    assert time.monotonic() > started + 0.2
    tidier.stop()


@pytest.fixture
def store_of_versions(tmp_path):
    """A served store with eight versions of somebody."""
    store = TidyStore(open_database(tmp_path / "piaa.db", connections=2))
    with store.database.writing() as sql:
        sql.run("INSERT INTO users (id, name, created) VALUES (1, 'ana', '')")
        sql.run("INSERT INTO models (id, hash) VALUES (1, 'a')")
        for number in range(8):
            sql.run(
                "INSERT INTO versions (user_id, number, created, adapter, model_id, model_name, scale_low,"
                " scale_high, n_ratings, extra, state, checksum, digest, learned_from, form_checksum)"
                " VALUES (1, :number, '', 'ridge', 1, '', 1, 5, 0, '{}', x'00', '', '', '', '')",
                number=number,
            )
    yield store, Tidier(store, Retention())
    store.database.close()


def test_who_is_rolled_back_after_it_has_the_scores_of_then(serve, tmp_path, album, names):
    server = serve(tmp_path / "piaa.db", "--no-keys", "--rate", "100000")
    server.rate("ana", album, {names[at]: 1 + at % 5 for at in range(6)})
    for name in ("ridge", "auto", "auto", "ridge", "bayes", "auto", "auto"):
        assert server.fit("ana", name)["state"] == "done"
    files = [(name, (album / name).read_bytes()) for name in names[:3]]

    def scores_of(version: int) -> list[float]:
        assert server.http.post("/v1/users/ana/rollback", json={"version": version}).status_code == 200
        (line,) = server.score(["ana"], files).json()["users"]
        assert line["version"] == version
        return line["scores"]

    before = {version: scores_of(version) for version in (3, 4, 5, 7)}
    database = open_database(server.store)
    assert TidyStore(database).tidy(Retention()).n_versions == 2
    database.close()
    with closing(sqlite3.connect(server.store)) as file:
        assert file.execute("SELECT count(*) FROM versions WHERE linear_form IS NOT NULL").fetchone() == (1,)
    server.stop()  # which remembers how it scored
    server = serve(tmp_path / "piaa.db", "--no-keys")
    assert {version: scores_of(version) for version in before} == before
    missing = server.http.post("/v1/users/ana/rollback", json={"version": 1})
    assert missing.json()["detail"] == "user 'ana' has no version 1, but: 3, 4, 5, 6, 7; name one of these"
    server.stop()
