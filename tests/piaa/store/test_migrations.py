"""Stores that earlier releases left say today what those releases said of them."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load as unpack

from piaa.adapters.base import Photos
from piaa.adapters.registry import adapter_class, make_adapter
from piaa.people.model import load_model
from piaa.store.audit import entries
from piaa.store.jobs import JobStore
from piaa.store.keys import KeyStore
from piaa.store.migrations import SCHEMA
from piaa.store.place import open_database
from piaa.store.store import Store
from piaa.store.user_file import to_json

STORES = ("file", "schema-1", "hot")


@pytest.fixture(params=[*STORES, "postgres"])
def name(request) -> str:
    return request.param


@pytest.fixture
def old(request, schema_2, name):
    """A store of an earlier release, and what that release said of it."""
    if name != "postgres":
        yield Store(schema_2.file(name)), schema_2.expected[name]
        return
    url = request.getfixturevalue("postgres")
    schema_2.postgres(url)
    store = Store(url)
    yield store, schema_2.expected["file"]
    store.close()


def exported(store: Store, user: str) -> dict:
    """What `piaa users export --all` writes, with hashes for states as in the expected file."""
    content = json.loads(json.dumps(to_json(store.content(user))))
    for one in content["versions"]:
        one["state"] = hashed(one["state"])
    return content


def hashed(text: str) -> dict:
    content = base64.b64decode(text)
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def test_every_version_of_everybody_is_exported_as_it_was(old):
    store, expected = old
    assert {one.user for one in store.users()} == expected["users"].keys()
    for user, one in expected["users"].items():
        found, before = exported(store, user), one["export"] or {"versions": []}
        said = found.pop("said")
        assert found["versions"] == before["versions"]
        del found["sha256"]  # of the whole file, which says more
        assert {key: value for key, value in before.items() if key != "sha256"}.items() <= found.items()
        assert said.keys() == {"scale", "ratings", "comparisons", "flags", "vectors"}


def test_the_version_that_counts_is_the_same(old):
    store, expected = old
    people = [one for one in store.users() if one.latest is not None]
    assert [(one.user, one.n_versions, one.latest.version) for one in people] == [
        (one["user"], one["n_versions"], one["version"]) for one in expected["list"]
    ]


def test_shown_versions_are_the_same(old):
    store, expected = old
    for user, one in expected["users"].items():
        for row, before in zip(
            store.versions(user), (one["show"] or {"versions": []})["versions"], strict=True
        ):
            found = {**asdict(row), "model": row.model_name, "scale": [row.scale_low, row.scale_high]}
            kept = before.keys() & found.keys() - {"n_bytes"}  # smaller now, without the vectors
            assert {"version", "created", "adapter", "model", "model_hash", "scale", "n_ratings"} <= kept
            assert {key: found[key] for key in kept} == {key: before[key] for key in kept}


def predicted(stored, prior, generic, vectors) -> dict[str, list[float]]:
    """Unit scores of vectors by a stored version."""
    given = vectors
    if adapter_class(stored.adapter).needs_pixels:  # only the level was learned: no pixel is looked at
        given = Photos(vectors=vectors, pixels=np.zeros((len(vectors), 1, 1, 3), np.uint8))
    adapter = make_adapter(stored.adapter, prior, generic=generic)
    found = adapter.restore(unpack(stored.state)).predict(given)
    return {name: getattr(found, name).tolist() for name in ("score", "low", "high")}


def test_every_version_scores_as_it_did(old, schema_2):
    store, expected = old
    generic = load_model().generic
    for user, one in expected["users"].items():
        versions = {
            str(row.version): predicted(
                store.load(user, row.version), schema_2.prior, generic, schema_2.vectors
            )
            for row in store.versions(user)
        }
        assert versions.keys() == one["scores"].keys()
        for version, scores in versions.items():
            for key, values in scores.items():
                # Not to the bit: another processor sums in another order.
                assert values == pytest.approx(one["scores"][version][key], abs=1e-9), (user, version, key)


def test_what_was_given_over_http_is_kept_with_its_vectors(old):
    store, expected = old
    people = {user: one["http"] for user, one in expected["users"].items() if one["http"]}
    for user, before in people.items():
        content = store.content(user)
        scale = tuple(before["scale"])
        rows = {(row.values["image"], row.values["sha256"], row.values["score"]) for row in content.ratings}
        vectors = {
            (one.photo, one.model_hash): hashlib.sha256(one.vector).hexdigest() for one in content.vectors
        }
        for one in before["ratings"]:
            assert (one["image"], one["sha256"], one["score"]) in rows
            assert vectors[one["sha256"], one["model_hash"]] == one["vector"]["sha256"]
        assert all(
            (row.values["scale_low"], row.values["scale_high"]) == scale
            for row in content.ratings
            if row.values["source"] == "http"
        )
    assert len(people) == {"file": 8, "postgres": 8, "hot": 1}.get(store_kind(store), 0)


def store_kind(store: Store) -> str:
    return "postgres" if "://" in store.name else Path(store.name).stem


def test_fits_that_were_asked_for_are_there(old):
    store, expected = old
    jobs = JobStore(store.database)
    for user, one in expected["users"].items():
        if one["http"]:
            assert [asdict(job) for job in jobs.of_user(user)] == one["http"]["jobs"]
    if "kim" in expected["users"]:  # a dead server's fit is done by the next one
        taken = [jobs.claim(), jobs.claim(), jobs.claim()]
        assert {job.user for job in taken if job is not None} == {"kim", "lea"}


def test_keys_open_what_they_opened(old):
    store, expected = old
    keys = KeyStore(store.database)
    listed = keys.keys()
    assert [
        {name: asdict(key)[name] for name in one} for key, one in zip(listed, expected["keys"], strict=True)
    ] == (expected["keys"])
    may = {"admin": ("score", "rate", "admin", "metrics"), "user": ("score", "rate")}
    assert all(key.scopes == may[key.role] for key in listed)
    for key in expected["keys"]:
        secret = expected.get("secrets", {})[key["id"]]
        found = keys.key_of(secret)
        assert (found is None) == (key["revoked"] is not None)
        assert found is None or found.id == key["id"]


def test_the_audit_tells_of_the_migration(old, sayings):
    store, _ = old
    store.say("new", sayings.rated({1: 3}))
    with store.database.reading() as sql:
        first = entries(sql, 1000)[0]
    assert (first.who, first.user) == ("migration", None)
    assert first.what in {f"schema {before} to {SCHEMA}" for before in (1, 2)}


def test_it_takes_what_is_said_next(old, sayings):
    store, expected = old
    user = "ana"
    before = sayings.scores(store, user)
    n_versions = len(store.versions(user))
    store.say(user, sayings.rated({1: 5}))
    assert sayings.scores(store, user) == {**before, "1.jpg": 5}
    record, said = sayings.fitted_constant(store, user)
    assert store.keep(user, record, said) == n_versions + 1
    assert store.load(user).n_ratings == len(before) + 1
    store.undo(user, source="terminal")
    assert sayings.scores(store, user) == before
    store.restore(user, 1, source="terminal")
    first = expected["users"][user]["export"]["versions"][0]["ratings"]
    assert sayings.scores(store, user) == {image: score for image, _, score in first}
    store.withdraw(user, [first[0][0]], sayings.by_name, source="terminal")
    assert [one.version for one in store.versions(user)] == []
    assert first[0][0] not in sayings.scores(store, user)


def test_the_log_of_a_killed_server_holds_what_its_file_lacks(schema_2, sayings):
    alone = schema_2.file("hot")
    alone.with_name("hot.db-wal").unlink()
    assert [len(Store(path).versions("ana")) for path in (alone, schema_2.file("hot"))] == [1, 2]


def test_both_databases_hold_the_same_afterwards(schema_2, postgres, sayings):
    schema_2.postgres(postgres)
    databases = [open_database(schema_2.file()), open_database(postgres)]
    with databases[0].writing():
        pass
    rows = [sayings.migrated(one) for one in databases]
    assert rows[0] == rows[1]
    databases[1].close()


def test_the_next_rows_get_numbers_of_their_own(old, sayings):
    store, _ = old
    for user in ("new", "newer"):
        store.say(user, sayings.rated({1: 3, 2: 4}))
        store.say(user, sayings.compared((1, 2, "a")))
        assert sayings.fit(store, user) == 1


def test_the_fixtures_are_of_the_model_of_then(schema_2):
    hashes = {one["model_hash"] for name in STORES for one in schema_2.expected[name]["list"]}
    assert hashes == {"842c7752735f11cabfdb007a43ec3a4fcbfca1e612859d4d66e6ff5d63caa8e7"}
    assert (schema_2.vectors.shape, schema_2.vectors.dtype) == ((5, 129), np.float32)
