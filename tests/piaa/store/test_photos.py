"""One photo is one photo, whatever it was known by first; its vectors, kept once for all people."""

from __future__ import annotations

import numpy as np
import pytest


def as_file_hash(sayings, number: int, **changes):
    """The photo as a store knows it of which only the file's sha256 was ever kept."""
    sha256 = sayings.photo(number).sha256
    return sayings.photo(number, identity=sha256, image=f"old {number}.jpg", **changes)


def as_name(sayings, store, user: str, image: str, **changes):
    """The photo as a store knows it of which only a person's name for it was ever kept."""
    from piaa.store.photos import name_identity

    store.say(user, sayings.rated({}))
    with store.database.reading() as sql:
        number = sql.run("SELECT id FROM users WHERE name = :user", user=user)[0][0]
    return sayings.photo(0, identity=name_identity(number, image), sha256=None, image=image, **changes)


def count(store, table: str) -> int:
    with store.database.reading() as sql:
        return sql.run(f"SELECT count(*) FROM {table}")[0][0]


def test_a_photo_known_by_its_file_is_known_by_its_picture_once_it_is_seen(store, sayings):
    store.say("ana", sayings.rated({}, ratings=[(as_file_hash(sayings, 1), 2)], source="http"))
    store.say("ben", sayings.rated({}, ratings=[(as_file_hash(sayings, 1), 3)], source="http"))
    sayings.fit(store, "ana")
    before = store.load("ana").state
    store.say("ana", sayings.rated({1: 5}))
    assert count(store, "photos") == count(store, "vectors") == 1
    assert sayings.scores(store, "ana") == {"1.jpg": 5}
    (rating,) = store.said("ben", sayings.MODEL).ratings
    assert (rating.photo, rating.image, rating.score) == (sayings.photo(1).identity, "old 1.jpg", 3)
    assert [one.score for one in store.rated("ana")] == [2, 5]
    assert store.load("ana").state == before
    # And what knows the file alone finds the same photo from now on.
    store.say("ana", sayings.rated({}, ratings=[(as_file_hash(sayings, 1), 1)]))
    assert (count(store, "photos"), sayings.scores(store, "ana")) == (1, {"old 1.jpg": 1})


def test_of_a_photo_that_was_withdrawn_meanwhile_nothing_is_kept(store, sayings):
    store.say("ana", sayings.rated({1: 5, 2: 3}))
    withdrawn = sayings.photo(1).identity
    store.withdraw("ana", ["1.jpg"], lambda *_: {withdrawn}, source="terminal")
    store.see("ana", [sayings.photo(1), sayings.photo(2)], sayings.OTHER_MODEL)
    assert list(store.said("ana", sayings.OTHER_MODEL).vectors) == [sayings.photo(2).identity]
    assert [count(store, table) for table in ("photos", "vectors", "file_digests")] == [1, 2, 1]


def test_a_photo_known_by_a_name_is_known_by_its_picture_once_it_is_seen(store, sayings):
    named = as_name(sayings, store, "ana", "1.jpg", vector=None)
    other = as_name(sayings, store, "ben", "1.jpg", vector=None)
    store.say("ana", sayings.rated({}, ratings=[(named, 2)]))
    store.say("ben", sayings.rated({}, ratings=[(other, 3)]))
    assert store.said("ana", sayings.MODEL).vectors == {}
    store.say("ana", sayings.rated({1: 4}))
    assert sayings.scores(store, "ana") == {"1.jpg": 4}
    assert list(store.said("ana", sayings.MODEL).vectors) == [sayings.photo(1).identity]
    # Another person's photo of that name may be another photo.
    (rating,) = store.said("ben", sayings.MODEL).ratings
    assert (rating.photo, rating.score) == (other.identity, 3)
    assert count(store, "photos") == 2


@pytest.mark.parametrize(("first", "then", "counts"), [("file", "name", "4.0"), ("name", "file", "2.0")])
def test_of_two_ratings_of_what_turns_out_one_photo_the_newer_counts(store, sayings, first, then, counts):
    seen = {
        "file": (as_file_hash(sayings, 1), 2),
        "name": (as_name(sayings, store, "ana", "1.jpg"), 4),
    }
    for kind in (first, then):
        store.say("ana", sayings.rated({}, ratings=[seen[kind]]))
        store.say("ana", sayings.flagged({}, flags=[(seen[kind][0], "pick")]))
    sayings.fit(store, "ana")
    store.say("ana", sayings.compared((1, 2, "a")))  # here both are seen to be one, which is not rated
    assert [str(score) for score in sayings.scores(store, "ana").values()] == [counts]
    assert (len(store.rated("ana")), len(store.flags("ana"))) == (2, 1)
    assert len(store.load("ana").ratings) == 2  # what was learned from both still says so
    assert count(store, "photos") == 2


def test_undo_and_restore_after_two_photos_became_one(store, sayings):
    store.say("ana", sayings.rated({}, ratings=[(as_file_hash(sayings, 1), 2)]))
    store.say("ana", sayings.rated({}, ratings=[(as_name(sayings, store, "ana", "1.jpg"), 4)]))
    sayings.fit(store, "ana")
    store.say("ana", sayings.rated({2: 3}), replace=True)
    store.say("ana", sayings.compared((1, 2, "a")))
    store.undo("ana", source="terminal")
    store.undo("ana", source="terminal")
    assert sayings.scores(store, "ana") == {"1.jpg": 4}
    store.say("ana", sayings.rated({2: 3}), replace=True)
    store.restore("ana", 1, source="terminal")
    assert sayings.scores(store, "ana") == {"1.jpg": 4}


def test_two_files_of_one_picture_are_one_photo(store, sayings):
    starred = sayings.photo(1, sha256=sayings.digest("with a star"), image="copy.jpg")
    store.say("ana", sayings.rated({1: 2}))
    store.say("ana", sayings.rated({}, ratings=[(starred, 5)]))
    assert sayings.scores(store, "ana") == {"copy.jpg": 5}
    assert (count(store, "photos"), count(store, "file_digests")) == (1, 2)


def test_vectors_are_shared_and_go_with_the_last_rating(store, sayings):
    for user in ("ana", "ben"):
        store.say(user, sayings.rated({1: 3, 2: 4}))
    store.say("ben", sayings.flagged({3: "pick"}))
    assert (count(store, "vectors"), count(store, "photos")) == (3, 3)
    store.withdraw("ana", ["1.jpg"], sayings.by_name, source="terminal")
    assert count(store, "vectors") == 3
    store.withdraw("ben", ["1.jpg"], sayings.by_name, source="terminal")
    assert (count(store, "vectors"), count(store, "photos"), count(store, "file_digests")) == (2, 2, 2)
    store.delete("ben", source="terminal")
    assert (count(store, "vectors"), count(store, "photos")) == (1, 1)
    store.delete("ana", source="terminal")
    assert (count(store, "vectors"), count(store, "photos"), count(store, "models")) == (0, 0, 1)


def test_each_model_has_vectors_of_its_own(store, sayings):
    wide = sayings.photo(1, vector=sayings.vector(1, 5))
    store.say("ana", sayings.rated({1: 3, 2: 4}))
    store.say("ana", sayings.rated({}, ratings=[(wide, 2)], model_hash=sayings.OTHER_MODEL))
    assert count(store, "vectors") == 3
    assert {one.shape for one in store.said("ana", sayings.MODEL).vectors.values()} == {(9,)}
    said = store.said("ana", sayings.OTHER_MODEL)
    assert {photo: one.shape for photo, one in said.vectors.items()} == {wide.identity: (5,)}
    assert len(said.ratings) == 2


def test_a_vector_that_is_there_stays(store, sayings):
    store.say("ana", sayings.rated({1: 3}))
    again = sayings.photo(1, vector=sayings.vector(1) + np.float32(1e-6))  # another processor's
    store.say("ben", sayings.rated({}, ratings=[(again, 2)]))
    for user in ("ana", "ben"):
        (vector,) = store.said(user, sayings.MODEL).vectors.values()
        assert vector.tobytes() == sayings.vector(1).tobytes()


@pytest.mark.parametrize("damage", ["vector", "checksum"])
def test_a_damaged_vector_is_named_and_mended_by_the_next_rating(store, sayings, damage):
    store.say("ana", sayings.rated({1: 3, 2: 4}))
    content = sayings.vector(1).tobytes()
    flipped = bytes([content[0] ^ 1]) + content[1:]
    value = {"vector": flipped, "checksum": "0" * 16}[damage]
    with store.database.writing() as sql:
        sql.run(
            f"UPDATE vectors SET {damage} = :value WHERE photo_id ="
            " (SELECT id FROM photos WHERE identity = :identity)",
            value=value,
            identity=sayings.photo(1).identity,
        )
    said = store.said("ana", sayings.MODEL)
    assert said.damaged == {sayings.photo(1).identity}
    assert list(said.vectors) == [sayings.photo(2).identity]
    store.say("ben", sayings.rated({1: 1}))
    said = store.said("ana", sayings.MODEL)
    assert said.damaged == frozenset()
    assert said.vectors[sayings.photo(1).identity].tobytes() == content


def test_photos_of_different_pictures_stay_two_whatever_is_said_of_a_file(store, sayings):
    store.say("ben", sayings.rated({1: 1, 2: 5}))
    mixed = sayings.photo(2, sha256=sayings.photo(1).sha256)  # as a file from elsewhere may have it
    store.say("eve", sayings.rated({}, ratings=[(mixed, 3)]))
    assert sayings.scores(store, "ben") == {"1.jpg": 1, "2.jpg": 5}
    assert store.said("eve", sayings.MODEL).ratings[0].photo == sayings.photo(2).identity


def test_a_flag_without_a_vector_leaves_that_of_the_rating(store, sayings):
    flag = (sayings.photo(1, image="copy.jpg", vector=None), "pick")
    store.say("ana", sayings.rated({1: 4}, flags=[flag]))
    assert set(store.said("ana", sayings.MODEL).vectors) == {sayings.photo(1).identity}
