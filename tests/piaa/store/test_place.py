"""Where a store lies: a file by default, one that PIAA_STORE names, or a database behind a URL."""

from __future__ import annotations

import pytest

from generic.errors import StoreError, UnknownUser
from piaa.store.place import open_database, place_of
from piaa.store.sqlite import SqliteFile, default_store_path
from piaa.store.store import Store


def test_default_path(monkeypatch, tmp_path, sayings, refusal):
    monkeypatch.setenv("PIAA_STORE", str(tmp_path / "mine.db"))
    assert Store().name == place_of(None) == str(tmp_path / "mine.db")
    Store().say("ana", sayings.rated({1: 1}))
    # Nothing to say where the store is: it is the one that is meant without saying it.
    assert refusal(UnknownUser, Store().load, "zoe") == (
        f"store '{tmp_path / 'mine.db'}' has no user 'zoe'; see all users with: piaa users list"
    )
    monkeypatch.delenv("PIAA_STORE")
    assert default_store_path().name == "piaa.db"
    assert default_store_path().parent.name == "piaa"
    assert place_of(None) == str(default_store_path())


def test_a_url_in_the_environment(monkeypatch, postgres, sayings):
    monkeypatch.setenv("PIAA_STORE", postgres)
    store = Store()
    store.say("ana", sayings.rated({1: 1}))
    assert (place_of(None), store.database.option()) == (postgres, "")
    assert isinstance(open_database("a:/b.db"), SqliteFile)
    store.close()


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (
            "mysql://a:secret@localhost/x",
            "a store lies in PostgreSQL or in a SQLite file, not in 'mysql'; "
            "write postgresql://USER:PASSWORD@HOST/DATABASE, or the path of a file",
        ),
        (
            "postgresql://[secret/x",
            "the store's URL cannot be understood; write postgresql://USER:PASSWORD@HOST/DATABASE",
        ),
        (
            "://",
            "a store lies in PostgreSQL or in a SQLite file, not in ''; "
            "write postgresql://USER:PASSWORD@HOST/DATABASE, or the path of a file",
        ),
    ],
)
def test_places_that_are_none(place, message, refusal):
    assert refusal(StoreError, open_database, place) == message
