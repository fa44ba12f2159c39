"""People of files that earlier releases wrote, and of files whose photos the store knows otherwise."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json

import pytest

from piaa.store.store import Store
from piaa.store.user_file import to_json


def old_file(store: Store, user: str, path) -> dict:
    """What a release before wrote of a person: her versions alone."""
    content = {
        key: value for key, value in to_json(store.content(user)).items() if key not in ("said", "sha256")
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    content["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    path.write_text(json.dumps(content, ensure_ascii=False))
    return content


@pytest.fixture
def target(store):
    return store


def test_a_file_of_an_earlier_release_is_merged_by_time(target, schema_2, tmp_path):
    old = Store(schema_2.file())
    for user in [one.user for one in old.users() if one.latest is not None]:
        written = old_file(old, user, tmp_path / "old.json")
        summary = target.import_(tmp_path / "old.json")
        assert (summary.user, summary.n_versions) == (user, len(written["versions"]))
        assert to_json(target.content(user))["versions"] == written["versions"]
        versions = old.content(user).versions
        # By identity: of each photo the newest version's score counts.
        newest = {row.sha256 or row.image: row.score for one in versions for row in one.ratings}
        model = versions[-1].model_hash
        assert {row.sha256 or row.image: row.score for row in target.said(user, model).ratings} == newest
        assert target.said(user, model).vectors.keys() >= {
            row.photo for row in target.said(user, model).ratings
        }


def test_a_digest_of_an_imported_version_is_that_of_what_she_said(target, schema_2, tmp_path):
    old = Store(schema_2.file())
    old_file(old, "gus", tmp_path / "old.json")
    target.import_(tmp_path / "old.json")
    target.say("gus", saying_of(target, "gus"))
    assert target.undo("gus", source="terminal")[1] == [6]


def saying_of(store: Store, user: str):
    """Another rating, of a photo that she rated already."""
    from piaa.store.records import SeenPhoto
    from piaa.store.saying import Saying

    model = store.load(user).model_hash
    one = store.said(user, model).ratings[0]
    seen = SeenPhoto(identity=one.photo, sha256=one.sha256, image=one.image)
    return Saying(ratings=[(seen, 9)], model_hash=model, source="http")


def test_two_photos_of_a_file_that_the_store_knows_as_one(target, sayings, tmp_path):
    """The one by a file with a star, the other by the file without it."""
    starred = sayings.photo(1, sha256=sayings.digest("starred"), image="starred.jpg")
    by_file = sayings.photo(1, identity=sayings.photo(1).sha256)
    other = Store(tmp_path / "other.db")
    other.say("ana", sayings.rated({}, ratings=[(by_file, 2)]))
    other.say("ana", sayings.rated({}, ratings=[(starred, 5)]))
    other.say("ana", sayings.flagged({}, flags=[(by_file, "pick"), (starred, "reject")]))
    sayings.fit(other, "ana")
    assert len(sayings.scores(other, "ana")) == 2
    other.export("ana", tmp_path / "ana.json", all_versions=True)
    target.say("ben", sayings.rated({1: 3}))  # both files' picture
    assert target.import_(tmp_path / "ana.json").n_ratings == 1
    assert sayings.scores(target, "ana") == {"starred.jpg": 5}
    assert [one.flag for one in target.flags("ana")] == ["reject"]
    assert [one.score for one in target.load("ana").ratings] == [2, 5]
    assert sayings.scores(target, "ben") == {"1.jpg": 3}


def test_vectors_of_a_file_do_not_replace_those_that_are_there(target, sayings, tmp_path):
    other = Store(tmp_path / "other.db")
    forged = sayings.photo(1, vector=sayings.vector(99))
    other.say("ana", sayings.rated({}, ratings=[(forged, 2), (sayings.photo(2), 4)]))
    sayings.fit(other, "ana")
    other.export("ana", tmp_path / "ana.json")
    target.say("ben", sayings.rated({1: 3}))
    target.import_(tmp_path / "ana.json")
    for user in ("ana", "ben"):
        vectors = target.said(user, sayings.MODEL).vectors
        assert vectors[sayings.photo(1).identity].tobytes() == sayings.vector(1).tobytes()
    loaded = target.load("ana")
    assert dataclasses.replace(loaded, ratings=()) == dataclasses.replace(other.load("ana"), ratings=())
    assert base64.b64encode(loaded.state)
