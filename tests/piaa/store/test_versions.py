"""Versions: kept as they were fitted, to the bit, though their vectors lie elsewhere; damaged one by one."""

from __future__ import annotations

import datetime
from dataclasses import fields, replace

import numpy as np
import pytest
from safetensors.numpy import load as unpack

from generic.errors import ModelMismatch, StoreError
from piaa.adapters.registry import make_adapter
from piaa.store.jobs import JobStore
from piaa.store.records import AdapterRecord
from piaa.store.serving import ServingStore
from piaa.store.store import check_model


def content(adapter: AdapterRecord) -> dict[str, object]:
    return {field.name: getattr(adapter, field.name) for field in fields(AdapterRecord)}


def test_a_version_comes_back_as_it_was_kept(store, sayings):
    before = datetime.datetime.now(datetime.UTC)
    store.say("ana", sayings.rated({1: 4, 2: 2, 3: 5}))
    facts = {"alpha": 0.1, "note": "für Ana", "nested": {"list": [1, None, True, 1e-300]}}
    record, said = sayings.fitted(store, "ana", extra=facts)
    assert store.keep("ana", record, said, linear_form=b"form") == 1
    loaded = store.load("ana")
    assert content(loaded) == content(record)
    assert (loaded.user, loaded.version, loaded.n_ratings) == ("ana", 1, 3)
    created = datetime.datetime.fromisoformat(loaded.created)
    assert before <= created <= datetime.datetime.now(datetime.UTC)
    assert created.utcoffset() == datetime.timedelta(0)
    active = ServingStore(store.database).active(["ana", "zoe"], [sayings.MODEL])
    assert [(one.version, one.scale) for one in active.values()] == [(1, (1, 5))]
    forms = ServingStore(store.database).linear_forms(["ana"], sayings.MODEL)
    assert forms == {"ana": (active["ana"].digest, b"form")}


@pytest.mark.parametrize("adapter", ["ridge", "auto", "bayes", "pam", "neighbours", "bias", "generic"])
def test_scores_of_what_was_loaded_are_equal_to_the_bit(file_store, sayings, adapter):
    from piaa.people.model import load_model

    prior = load_model().prior
    width = 1 + prior.n_directions + prior.n_richer
    photos = [sayings.photo(n, vector=sayings.vector(n, width)) for n in range(6)]
    file_store.say("ana", sayings.rated({}, ratings=[(one, 1 + n % 5) for n, one in enumerate(photos)]))
    said = file_store.said("ana", sayings.MODEL)
    features = np.stack([said.vectors[one.photo] for one in said.ratings])
    learned = make_adapter(adapter, prior).fit(features, np.array([0, 0.25, 0.5, 0.75, 1, 0]))
    record, _ = sayings.fitted(file_store, "ana", adapter=adapter, state=sayings.packed(learned.state()))
    file_store.keep("ana", record, said)
    loaded = file_store.load("ana")
    assert loaded.state == record.state
    again, new = make_adapter(adapter, prior).restore(unpack(loaded.state)), sayings.vector(99, width)[None]
    for name in ("score", "low", "high"):
        assert getattr(again.predict(new), name) == getattr(learned.predict(new), name)
    (row,) = file_store.versions("ana")
    if "support.features" in unpack(record.state):
        assert row.n_bytes < len(record.state) - features.nbytes  # the vectors are kept once
    else:
        assert row.n_bytes == len(record.state)


def test_states_that_do_not_hold_these_vectors_are_kept_whole(store, sayings):
    store.say("ana", sayings.rated({1: 4, 2: 2}))
    record, said = sayings.fitted(store, "ana")
    tensors = unpack(record.state)
    for state in (
        b"no safetensors at all",
        b"",
        sayings.packed({**tensors, "support.features": tensors["support.features"] + np.float32(1)}),
        sayings.packed({**tensors, "support.scores": tensors["support.scores"][::-1].copy()}),
        sayings.packed({"weights": np.ones(3)}),
    ):
        store.keep("ana", replace(record, state=state), said)
        assert store.load("ana").state == state
        assert store.versions("ana")[-1].n_bytes == len(state)


def test_a_version_of_comparisons(store, sayings):
    store.say("ana", sayings.compared((1, 2, "b"), (2, 3, "equal"), (3, 4, "a")))
    record, said = sayings.fitted_pairs(store, "ana")
    store.keep("ana", record, said)
    loaded = store.load("ana")
    assert content(loaded) == content(record)
    assert [one.pair for one in loaded.comparisons] == [("2.jpg", "1.jpg"), ("3.jpg", "4.jpg")]
    assert store.versions("ana")[0].n_bytes < len(record.state) - 4 * sayings.vector(1).nbytes


def test_versions_count_up_per_user_and_the_last_one_counts(store, sayings, refusal):
    for user in ("ana", "Ana"):
        store.say(user, sayings.rated({1: 4}))
    assert [sayings.fit(store, "ana", extra={"i": i}) for i in range(3)] == [1, 2, 3]
    assert sayings.fit(store, "Ana") == 1
    assert (store.load("ana").extra, store.load("ana", 2).extra) == ({"i": 2}, {"i": 1})
    for version in (0, -1, 4, 2**40):
        assert refusal(StoreError, store.load, "ana", version) == (
            f"user 'ana' in store '{store.name}' has no version {version}, but: 1, 2, 3; name one of these"
        )
    store.say("bea", sayings.rated({1: 4}))
    assert "has no version 1, but: none yet; " in refusal(StoreError, store.load, "bea", 1)


def test_summaries(store, sayings):
    for user in ("bob", "ana"):
        store.say(user, sayings.rated({1: 4, 2: 5}))
        sayings.fit(store, user)
    store.say("ana", sayings.rated({3: 1}))
    store.say("ana", sayings.compared((4, 5, "a")))
    sayings.fit(store, "ana", adapter="bayes")
    users = store.users()
    assert [
        (one.user, one.n_ratings, one.n_comparisons, one.n_versions, one.latest.adapter) for one in users
    ] == [("ana", 3, 1, 2, "bayes"), ("bob", 2, 0, 1, "ridge")]
    assert store.versions("ana")[1] == users[0].latest
    first, loaded = store.versions("ana")[0], store.load("ana", 1)
    for name in ("version", "created", "model_name", "model_hash", "scale_low", "scale_high", "extra"):
        assert getattr(first, name) == getattr(loaded, name)
    assert (first.n_ratings, users[0].latest.n_ratings) == (2, 3)


def test_each_model_has_a_version_that_counts(store, sayings):
    store.say("ana", sayings.rated({1: 4, 2: 2}))
    assert sayings.fit(store, "ana") == 1
    assert sayings.fit(store, "ana", model_hash=sayings.OTHER_MODEL) == 2
    assert sayings.fit(store, "ana") == 3
    assert store.active("ana") == 3
    assert store.load("ana", model_hash=sayings.OTHER_MODEL).version == 2
    assert store.load("ana", model_hash="00" * 32).version == 3
    store.restore("ana", 2, source="terminal")
    assert store.active("ana") == 2
    assert store.load("ana", model_hash=sayings.MODEL).version == 3
    store.undo("ana", source="terminal")
    assert store.load("ana", model_hash=sayings.OTHER_MODEL).version == 2


def damage(store, table: str, column: str, where: str, **values) -> None:
    """Flip one bit of the last byte of a value."""
    with store.database.writing() as sql:
        (value,) = sql.run(f"SELECT {column} FROM {table} WHERE {where}", **values)[0]
        flipped = bytes(value)[:-1] + bytes([bytes(value)[-1] ^ 1])
        sql.run(f"UPDATE {table} SET {column} = :flipped WHERE {where}", flipped=flipped, **values)


def test_a_damaged_state_loses_its_version_only_and_is_named(store, sayings, refusal):
    for user in ("ana", "ben"):
        store.say(user, sayings.rated({1: 4, 2: 2}))
        sayings.fit(store, user)
    store.say("ana", sayings.rated({3: 1}))
    sayings.fit(store, "ana")
    damage(store, "versions", "state", "number = 2")
    message = refusal(StoreError, store.load, "ana")
    start = f"version 2 of user 'ana' in store '{store.name}' is damaged (checksum "
    end = (
        "; restore another one: piaa users restore ana NUMBER, or learn again from what she said: "
        "piaa fit-user --user ana"
    )
    assert message.startswith(start)
    assert message.endswith(end)
    assert [store.load("ana", 1).version, store.load("ben").version] == [1, 1]
    assert [one.version for one in store.versions("ana")] == [1, 2]
    assert len(store.said("ana", sayings.MODEL).ratings) == 3
    assert sayings.fit(store, "ana") == 3
    assert store.load("ana").version == 3


def test_a_version_with_a_damaged_vector_still_scores(store, sayings):
    store.say("ana", sayings.rated({1: 4, 2: 2, 3: 5}))
    sayings.fit(store, "ana")
    before = store.load("ana").state
    damage(
        store,
        "vectors",
        "vector",
        "photo_id = (SELECT id FROM photos WHERE identity = :photo)",
        photo=sayings.photo(2).identity,
    )
    after = store.load("ana")
    new = sayings.vector(99)[None]
    scores = [make_adapter("ridge", None).restore(unpack(one)).predict(new) for one in (before, after.state)]
    assert scores[0].score == scores[1].score
    assert len(after.ratings) == 3
    assert store.said("ana", sayings.MODEL).damaged == {sayings.photo(2).identity}


def test_the_model_must_be_the_one_of_the_fit(file_store, sayings, refusal):
    file_store.say("ana maria", sayings.rated({1: 4}))
    sayings.fit(file_store, "ana maria")
    stored = file_store.load("ana maria")
    check_model(stored, sayings.MODEL, "any name")
    assert refusal(ModelMismatch, check_model, stored, sayings.OTHER_MODEL, "piaa-lite") == (
        "adapter of user 'ana maria' (version 1) was fitted on model piaa-lite 3f2a91c0, "
        "but the loaded model is piaa-lite 77ab01fe; learn from the same ratings "
        "on this one: piaa users refit 'ana maria' --images DIR, or pass the old model with --model"
    )
    close = refusal(ModelMismatch, check_model, stored, "3f2a91c0" + "00000000" * 7, "mine")
    assert (
        "fitted on model piaa-lite 3f2a91c03f2a91c0, but the loaded model is mine 3f2a91c000000000;" in close
    )


def test_jobs_and_versions_of_somebody_deleted_go_with_her(store, sayings):
    store.say("ana", sayings.rated({1: 4}))
    sayings.fit(store, "ana")
    job = JobStore(store.database).enqueue("ana", "ridge")
    store.delete("ana", source="terminal")
    assert JobStore(store.database).job(job.id) is None
    left = sayings.everything(store.database)
    assert {table for table, rows in left.items() if rows} == {"models", "audit"}
