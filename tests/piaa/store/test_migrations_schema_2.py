"""Stores that the release with schema 2 left say today what that release said of them."""

from __future__ import annotations

import base64
import hashlib
import json
import sqlite3
from contextlib import closing

import numpy as np
import pytest
from piaa.store.adapter_store import AdapterStore
from safetensors.numpy import load as unpack

from generic.model.generic_model import GenericModel
from generic.model.registry import find_model
from piaa.adapters.base import Photos
from piaa.adapters.registry import adapter_class, make_adapter
from piaa.people.model import load_model
from piaa.store.user_file import user_content

STORES = ("file", "schema-1", "hot")


@pytest.fixture(params=STORES)
def name(request) -> str:
    if request.param == "schema-1":
        pytest.importorskip("alembic", reason="schema 1 is brought up to date by Alembic")
    return request.param


def exported(versions) -> dict:
    """What `piaa users export --all` writes, with hashes for states as in the expected file."""
    content = user_content(versions)
    for one in content["versions"]:
        state = base64.b64decode(one["state"])
        one["state"] = {"bytes": len(state), "sha256": hashlib.sha256(state).hexdigest()}
    return json.loads(json.dumps(content))


def exports(store: AdapterStore) -> dict:
    return {one.user: exported(store.history(one.user)) for one in store.users()}


def expected_exports(schema_2, name: str) -> dict:
    return {user: one["export"] for user, one in schema_2.expected[name]["users"].items() if one["export"]}


def test_every_version_of_everybody_is_there(schema_2, name):
    assert exports(AdapterStore(schema_2.file(name))) == expected_exports(schema_2, name)


def test_the_version_that_counts_is_the_same(schema_2, name):
    people = AdapterStore(schema_2.file(name)).users()
    assert [(one.user, one.n_versions, one.latest.version) for one in people] == [
        (one["user"], one["n_versions"], one["version"]) for one in schema_2.expected[name]["list"]
    ]


def predicted(stored, model, vectors) -> dict[str, list[float]]:
    """Unit scores of vectors by a stored version."""
    given = vectors
    if adapter_class(stored.adapter).needs_pixels:  # only the level was learned: no pixel is looked at
        given = Photos(vectors=vectors, pixels=np.zeros((len(vectors), 1, 1, 3), np.uint8))
    adapter = make_adapter(stored.adapter, model.prior, generic=model.generic)
    found = adapter.restore(unpack(stored.state)).predict(given)
    return {name: getattr(found, name).tolist() for name in ("score", "low", "high")}


def test_every_version_scores_as_it_did(schema_2, name):
    store, model = AdapterStore(schema_2.file(name)), load_model()
    for user, one in schema_2.expected[name]["users"].items():
        versions = {
            str(stored.version): predicted(stored, model, schema_2.vectors)
            for stored in (store.history(user) if one["export"] else ())
        }
        assert versions.keys() == one["scores"].keys()
        for version, scores in versions.items():
            for key, values in scores.items():
                # Not to the bit: another processor sums in another order.
                assert values == pytest.approx(one["scores"][version][key], abs=1e-9), (user, version, key)


def test_the_log_of_a_killed_server_holds_what_its_file_lacks(schema_2):
    path = schema_2.file("hot")
    count = "SELECT (SELECT count(*) FROM adapters), (SELECT count(*) FROM given)"
    with closing(sqlite3.connect(f"file:{path}?immutable=1", uri=True)) as without_log:
        assert without_log.execute(count).fetchone() == (1, 0)
    with closing(sqlite3.connect(path)) as whole:
        assert whole.execute(count).fetchone() == (2, 6)


def test_postgres_holds_the_rows_of_the_file(schema_2, postgres):
    import psycopg

    schema_2.postgres(postgres)
    with closing(sqlite3.connect(schema_2.file())) as file, psycopg.connect(postgres) as connection:
        for table in ("meta", "users", "adapters", "ratings", "given", "jobs", "api_keys"):
            rows = [sorted(one.execute(f"SELECT * FROM {table}"), key=repr) for one in (file, connection)]
            assert rows[0] == rows[1] != []
        # The next user and the next version get ids of their own.
        following = [
            connection.execute(f"SELECT nextval('{table}_id_seq'), max(id) + 1 FROM {table}").fetchone()
            for table in ("users", "adapters")
        ]
    assert all(given == expected for given, expected in following)


def test_postgres_says_what_the_file_says(schema_2, postgres):
    from piaa.store.database import StoreDatabase

    schema_2.postgres(postgres)
    database = StoreDatabase(postgres)
    try:
        assert exports(AdapterStore(database=database)) == expected_exports(schema_2, "file")
    finally:
        database.close()


def test_the_fixtures_are_of_the_model_in_the_package(schema_2):
    hashes = {one["model_hash"] for name in STORES for one in schema_2.expected[name]["list"]}
    assert hashes == {GenericModel(find_model("piaa-lite")).hash}
    assert (schema_2.vectors.shape, schema_2.vectors.dtype) == ((5, 129), np.float32)
