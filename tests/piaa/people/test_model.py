"""A person learned again from all that a store knows of her."""

from __future__ import annotations

import pytest

from generic.errors import NotFitted, RatingsError, UnknownUser
from piaa.store.records import SeenPhoto
from piaa.store.saying import Saying
from piaa.store.store import Store


def test_learning_again_is_as_learning_at_once(fitted, model, part, store, scores):
    fitted(part(0, 1), adapter="bayes").save(store)
    fitted(part(2, 3), adapter="bayes").save(store, add=True)
    again = model.refit("ana", store=store)
    assert (again.version, again.adapter.name, len(again.ratings)) == (3, "bayes", 4)
    assert scores(again) == scores(model.load("ana", store=store))
    assert scores(again) == scores(fitted(part(0, 1, 2, 3), adapter="bayes"))
    other = model.refit("ana", store=store, adapter="ridge")
    assert (other.version, other.adapter.name) == (4, "ridge")
    assert model.refit("ana", store=store).adapter.name == "ridge"


def test_who_never_was_learned_is_learned_by_the_default(fitted, model, part, store, scores):
    person = fitted(part(0, 1))
    photos = [
        (SeenPhoto(identity=one.photo, sha256=one.sha256, image=one.image, vector=vector), one.score)
        for one, vector in zip(person.ratings, person.adapter.support[0], strict=True)
    ]
    Store(store).say("ana", Saying(ratings=photos, model_hash=model.generic.hash, source="http"))
    with pytest.raises(NotFitted):
        model.load("ana", store=store)
    again = model.refit("ana", store=store)
    assert (again.version, again.adapter.name, scores(again)) == (1, "auto", scores(person))


def test_after_a_restore_she_is_learned_from_what_counts(fitted, model, part, store, scores):
    fitted(part(0, 1), adapter="ridge").save(store)
    fitted(part(2, 3)).save(store, replace=True)
    Store(store).restore("ana", 1, source="python")
    again = model.refit("ana", store=store)
    assert (again.version, again.adapter.name) == (3, "ridge")
    assert scores(again) == scores(fitted(part(0, 1), adapter="ridge"))


def test_nobody_is_learned(model, fitted, part, store):
    fitted(part(0)).save(store)
    with pytest.raises(UnknownUser) as caught:
        model.refit("anna", store=store)
    assert str(caught.value) == (
        f"store {str(store)!r} has no user 'anna'; did you mean 'ana'? see all users with: piaa users list "
        f"--store {store}"
    )


def test_two_names_of_one_photo_in_a_table(model, fitted, album, names, tmp_path):
    folder = tmp_path / "copies"
    folder.mkdir()
    for name in ("one.jpg", "two.jpg"):
        (folder / name).write_bytes((album / names[0]).read_bytes())
    with pytest.raises(RatingsError) as caught:
        model.fit_user({"one.jpg": 5, "two.jpg": 2}, images=folder)
    assert str(caught.value).endswith(
        "'two.jpg' has the score 2, but it is the same photo as 'one.jpg', which has 5; delete one of the "
        "two rows, or pass --duplicates last or --duplicates mean"
    )
    for choice, score in (("last", 2), ("mean", 3.5)):
        person = model.fit_user({"one.jpg": 5, "two.jpg": 2}, images=folder, duplicates=choice)
        assert [(one.image, one.score) for one in person.ratings] == [("two.jpg", score)]


def test_two_names_of_one_photo_are_not_compared(model, album, names, tmp_path):
    folder = tmp_path / "copies"
    folder.mkdir()
    for name, photo in (("one.jpg", names[0]), ("two.jpg", names[0]), ("other.jpg", names[1])):
        (folder / name).write_bytes((album / photo).read_bytes())
    for one, same in (("one.jpg", "two.jpg"), ("one.jpg", "./one.jpg"), ("one.jpg", "one.jpg")):
        with pytest.raises(RatingsError) as caught:
            model.fit_pairs([(one, "other.jpg"), (one, same)], images=folder)
        assert str(caught.value) == (
            f"the comparisons: {one!r} is compared with {same!r}, which is the same photo; compare two "
            "different photos, or delete the row"
        )
