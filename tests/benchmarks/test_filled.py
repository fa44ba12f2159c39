"""``benchmarks/filled.py``: its rows are those that the store itself writes of the same ratings."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from piaa.people.learn import learn, linear_form_of, record_of
from piaa.people.model import load_model
from piaa.store.records import SeenPhoto
from piaa.store.saying import Saying
from piaa.store.store import Store

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
VERSION = (
    "SELECT adapter, hash, model_name, versions.scale_low, versions.scale_high, n_ratings, extra, state,"
    " checksum, digest, learned_from, linear_form, form_checksum, number"
    " FROM versions JOIN models ON models.id = model_id"
    " JOIN users ON users.id = user_id WHERE name = :name"
)
COUNTS = ("users", "changes", "ratings", "versions", "version_ratings", "active", "photos", "vectors")


@pytest.fixture
def filled(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    return importlib.import_module("filled")


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path) -> str:
    return str(tmp_path / "piaa.db") if request.param == "sqlite" else request.getfixturevalue("postgres")


def said_and_learned(store, model, user, said, adapter):
    """The same ratings, given to another store and learned there as a server does it."""
    ratings = [
        (
            SeenPhoto(identity=one.photo, sha256=one.sha256, image=one.image, vector=said.vectors[one.photo]),
            one.score,
        )
        for one in said.ratings
    ]
    model_hash = model.generic.hash
    store.say(user, Saying(ratings=ratings, model_hash=model_hash, source="http", scale=said.scale))
    own = store.said(user, model_hash)
    learned = learn(model, user, own, model.maker(adapter))
    store.keep(user, record_of(model, learned, own.scale), own, linear_form=linear_form_of(learned.adapter))


def test_the_rows_are_those_that_the_store_writes(filled, place, tmp_path):
    assert filled.fill(place, 4, n_auto=1) == 4
    model, store, other = load_model(cache=False), Store(place), Store(tmp_path / "other.db")
    for user, adapter in (("user-0", "auto"), ("user-3", "ridge")):
        said = store.said(user, model.generic.hash)
        assert len(said.ratings) == filled.RATINGS
        said_and_learned(other, model, user, said, adapter)
        with store.database.reading() as one, other.database.reading() as two:
            assert one.run(VERSION, name=user) == two.run(VERSION, name=user)
        assert store.knows_all(user, model.generic.hash)
        assert [one.what for one in store.history(user)] == ["rate"]
        before, after = (one.content(user) for one in (store, other))
        assert [one.values["score"] for one in before.ratings] == [
            one.values["score"] for one in after.ratings
        ]
    store.close()


def test_a_store_is_filled_further_and_goes_on_by_itself(filled, place):
    filled.fill(place, 3, other="bias")
    assert filled.fill(place, 7, other="bias", end=0) == 3
    assert filled.fill(place, 7, other="bias") == 7
    assert filled.fill(place, 5) == 7
    store = Store(place)
    with store.database.reading() as sql:
        counts = {name: sql.run(f"SELECT count(*) FROM {name}")[0][0] for name in COUNTS}
    assert counts == {
        **dict.fromkeys(("users", "changes", "versions", "active"), 7),
        **dict.fromkeys(("ratings", "version_ratings"), 70),
        **dict.fromkeys(("photos", "vectors"), filled.POOL),
    }
    # Somebody new gets a number that is not taken.
    seen = SeenPhoto(identity="1" * 64, image="new.jpg")
    store.say("ana", Saying(ratings=[(seen, 3.0)], model_hash="x", source="http"))
    assert [one.user for one in store.users()] == ["ana", *(f"user-{i}" for i in range(7))]
    # Who was erased is filled in again, if she was the last.
    store.delete("ana", source="http")
    store.delete("user-6", source="http")
    assert filled.fill(place, 7, other="bias") == 7
    assert len(store.users()) == 7
    store.close()
