"""What callers are told of errors: never where the store lies, which the log keeps."""

from __future__ import annotations

import shlex
import sqlite3
from contextlib import closing

import pytest

from generic.errors import NotFitted, StoreError, StoreUnavailable, UnknownUser
from piaa.server.problems import told

AWAY = "the store cannot be used at this moment; try again later"
URL = "postgresql://piaa:***@db.internal:5432/people"


@pytest.mark.parametrize(
    ("error", "store", "expected"),
    [
        (
            StoreError("user 'ana' in store '/srv/piaa.db' has no version 9, but: 1; name one of these"),
            "/srv/piaa.db",
            "user 'ana' has no version 9, but: 1; name one of these",
        ),
        (
            StoreError("version 1 of user 'ana' in store '/srv/piaa.db' is damaged; learn again"),
            "/srv/piaa.db",
            "version 1 of user 'ana' is damaged; learn again",
        ),
        (
            NotFitted(f"nothing was learned; learn: piaa fit-user --store {shlex.quote('/a b/piaa.db')}"),
            "/a b/piaa.db",
            "nothing was learned; learn: piaa fit-user",
        ),
        (
            StoreError("store '/srv/piaa.db' is damaged (bad page); put a backup in place of /srv/piaa.db"),
            "/srv/piaa.db",
            "the store is damaged (bad page); put a backup in place of the store",
        ),
        (
            StoreError("store /srv/piaa.db has 0 ratings; name another model"),
            "/srv/piaa.db",
            "the store has 0 ratings; name another model",
        ),
        # A store in the folder at hand may be called as anything is.
        (StoreError("user 'a' in store 'a' has no version 2"), "a", "user 'a' has no version 2"),
        (StoreUnavailable(f"store {URL!r} cannot be used now: 10.0.0.7 port 5432 failed"), URL, AWAY),
        (
            UnknownUser(f"store {URL!r} has no user 'an'; did you mean 'ana'?"),
            URL,
            "there is no such user; rate some photos for the user first",
        ),
        (StoreError("a score lies outside"), URL, "a score lies outside"),
    ],
)
def test_no_place_is_told(caplog, error, store, expected):
    assert told(error, store) == expected
    logged = [f"a caller was told {expected!r} of this: {error}"] if expected != str(error) else []
    assert [record.getMessage() for record in caplog.records] == logged


def test_a_served_store_is_not_named_to_callers_but_in_the_log(serve, album, names, tmp_path):
    store = tmp_path / "secret-place" / "piaa.db"
    server = serve(store, "--no-keys")
    assert server.rate("ana", album, {names[0]: 4}).status_code == 200
    assert server.fit("ana", "ridge")["state"] == "done"
    missing = server.http.post("/v1/users/ana/rollback", json={"version": 9})
    assert (missing.status_code, missing.json()["detail"]) == (
        422,
        "user 'ana' has no version 9, but: 1; name one of these",
    )
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("ALTER TABLE ratings RENAME TO elsewhere")
        connection.commit()
    away = server.http.get("/v1/users/ana")
    assert (away.status_code, away.json()["detail"]) == (503, AWAY)
    assert "secret-place" not in missing.text + away.text
    server.kill()
    log = server.log.read_text()
    assert f"of this: user ... in store {str(store)!r} has no version 9" in log
    assert "'ana'" not in log
    assert f"of this: store {str(store)!r} cannot be used now: no such table: ratings" in log
