"""A person goes into a store: nothing that anybody said meanwhile is lost, and nobody is mixed up."""

from __future__ import annotations

import pytest

from generic.errors import PiaaError, ScaleError, StoreError
from piaa.store.store import Store


def said(store, user="ana"):
    return {one.image: one.score for one in Store(store).said(user, "").ratings}


def versions(store, user="ana"):
    return [one.version for one in Store(store).versions(user)]


def known(store, what):
    return (
        f"store {str(store)!r} knows {what} of user 'ana'; pass --add to add to them, or --replace to put "
        "these in their place (they stay in the history)"
    )


def test_a_new_person_is_kept_as_she_is(fitted, model, part, store, scores):
    person = fitted(part(0, 1, 2), adapter="ridge")
    assert person.save(store) == 1
    loaded = model.load("ana", store=store)
    assert (loaded.version, loaded.adapter.name, scores(loaded)) == (1, "ridge", scores(person))
    assert said(store) == part(0, 1, 2)
    assert [one.source for one in loaded.ratings] == ["python"] * 3


def test_whom_the_store_knows_is_not_overwritten_unasked(fitted, part, store):
    assert fitted(part(0, 1, 2)).save(store) == 1
    with pytest.raises(StoreError) as caught:
        fitted(part(3)).save(store)
    assert str(caught.value) == known(store, "3 ratings")
    assert (said(store), versions(store)) == (part(0, 1, 2), [1])


def test_whom_the_store_knows_by_comparisons_is_not_overwritten(fitted, model, album, part, names, store):
    pairs = [(names[0], names[1]), (names[2], names[3])]
    assert model.fit_pairs(pairs, images=album, user="ana").save(store) == 1
    for person in (fitted(part(3)), model.fit_pairs(pairs[:1], images=album, user="ana")):
        with pytest.raises(StoreError) as caught:
            person.save(store)
        assert str(caught.value) == known(store, "2 comparisons")
    assert fitted(part(3)).save(store, add=True) == 2
    with pytest.raises(StoreError) as caught:
        fitted(part(4)).save(store)
    assert str(caught.value) == known(store, "1 rating and 2 comparisons")


def test_added_her_ratings_join(fitted, model, part, store, scores):
    fitted(part(0, 1, 2)).save(store)
    assert fitted(part(3, 4)).save(store, add=True) == 2
    assert said(store) == part(0, 1, 2, 3, 4)
    assert scores(model.load("ana", store=store)) == scores(fitted(part(0, 1, 2, 3, 4)))


def test_replaced_they_become_history(fitted, model, part, store, scores):
    fitted(part(0, 1, 2)).save(store)
    person = fitted(part(3, 4))
    assert person.save(store, replace=True) == 2
    assert said(store) == part(3, 4)
    assert scores(model.load("ana", store=store)) == scores(person)
    assert [(one.what, one.n_added, one.n_ended) for one in Store(store).history("ana")] == [
        ("rate", 3, 0),
        ("replace", 2, 3),
    ]


def test_another_scale_is_not_added(fitted, names, part, store):
    fitted(part(0, 1)).save(store)
    with pytest.raises(ScaleError):
        fitted({names[2]: 9}, scale=(0, 10)).save(store, add=True)
    assert (said(store), versions(store)) == (part(0, 1), [1])
    assert fitted({names[2]: 9}, scale=(0, 10)).save(store, replace=True) == 2


def test_saving_twice_loses_nothing(fitted, model, album, part, store, scores):
    fitted(part(0, 1)).save(store)
    loaded = model.load("ana", store=store)
    assert (loaded.save(), loaded.save(store), versions(store)) == (1, 1, [1])
    more = loaded.add(part(2), images=album)
    assert more.save() == 2
    fitted(part(3)).save(store, add=True)
    assert more.save() == 4
    assert said(store) == part(0, 1, 2, 3)
    assert scores(model.load("ana", store=store)).keys() == scores(more).keys()


def test_what_others_said_meanwhile_stays(fitted, model, album, part, store, scores):
    fitted(part(0, 1)).save(store)
    one, other = model.load("ana", store=store), model.load("ana", store=store)
    assert one.add(part(2, 3), images=album).save() == 2
    assert other.add(part(4), images=album).save() == 3
    assert said(store) == part(0, 1, 2, 3, 4)
    assert scores(model.load("ana", store=store)) == scores(fitted(part(0, 1, 2, 3, 4)))


def test_what_others_said_between_adding_and_saving_stays(fitted, model, album, part, names, store, scores):
    fitted(part(0, 1)).save(store)
    one = model.load("ana", store=store).add({names[1]: 4, names[2]: 2}, images=album)
    other = model.load("ana", store=store).add({names[1]: 3, names[5]: 5}, images=album)
    assert other.save() == 2
    assert one.save() == 3
    # Of a photo that both rated, the one who saved last counts.
    assert said(store) == {names[0]: 5, names[5]: 5, names[1]: 4, names[2]: 2}


def test_what_is_forgotten_is_gone_and_what_others_said_stays(
    fitted, model, album, part, names, store, scores
):
    fitted(part(0, 1, 2)).save(store)
    one = model.load("ana", store=store).forget([names[1]])
    assert model.load("ana", store=store).add(part(3), images=album).save() == 2
    assert one.save() == 3
    assert (said(store), versions(store)) == (part(0, 2, 3), [3])
    assert scores(model.load("ana", store=store)) == scores(fitted(part(0, 2, 3)))
    assert names[1].encode() not in store.read_bytes()


def test_a_loaded_person_is_copied_to_another_store(
    fitted, model, album, part, names, store, scores, tmp_path
):
    fitted(part(0, 1, 2)).save(store)
    model.fit_pairs([(names[3], names[4])], images=album, user="ana").save(store, add=True)
    before, other = store.read_bytes(), tmp_path / "other.db"
    loaded = model.load("ana", store=store)
    assert loaded.save(other) == 1
    assert said(other) == part(0, 1, 2)
    assert [one.pair for one in Store(other).said("ana", "").comparisons] == [(names[3], names[4])]
    assert scores(model.load("ana", store=other)) == scores(loaded)
    assert store.read_bytes() == before
    with pytest.raises(StoreError) as caught:
        loaded.save(other)
    assert str(caught.value) == known(other, "3 ratings and 1 comparison")


def test_somebody_who_was_changed_is_copied_whole(fitted, model, album, part, names, store, scores, tmp_path):
    fitted(part(0, 1, 2)).save(store)
    changed = model.load("ana", store=store).add(part(3), images=album).forget([names[0]])
    assert changed.save(tmp_path / "other.db") == 1
    assert said(tmp_path / "other.db") == part(1, 2, 3)
    assert scores(model.load("ana", store=tmp_path / "other.db")) == scores(changed)
    assert said(store) == part(0, 1, 2)


def test_an_old_version_learns_on_from_what_is_known_now(fitted, model, album, part, store, scores):
    fitted(part(0, 1)).save(store)
    fitted(part(2)).save(store, add=True)
    old = model.load("ana", store=store, version=1)
    assert old.add(part(3), images=album).save() == 3
    assert said(store) == part(0, 1, 2, 3)
    assert scores(model.load("ana", store=store)) == scores(fitted(part(0, 1, 2, 3)))


def test_who_was_learned_from_pixels_is_not_added_from_vectors(fitted, part, store):
    pytest.importorskip("torch")
    fitted(part(0, 1)).save(store)
    with pytest.raises(PiaaError) as caught:
        fitted(part(2), adapter="lora").save(store, add=True)
    assert str(caught.value) == (
        "user 'ana' was learned by adapter 'lora', which learns from more than what is kept of her; fit "
        "again with the photos: piaa fit-user --user NAME --images DIR"
    )
    assert (said(store), versions(store)) == (part(0, 1), [1])
    assert fitted(part(2), adapter="lora").save(store, replace=True) == 2


def test_replaced_by_a_loaded_person_is_replaced_by_all_that_she_has(
    fitted, model, album, part, store, scores
):
    fitted(part(0, 1, 2)).save(store)
    person = model.load("ana", store=store).add(part(3), images=album)
    assert person.save(replace=True) == 2
    assert said(store) == part(0, 1, 2, 3)
    assert scores(model.load("ana", store=store)) == scores(person)
    assert [one.what for one in Store(store).history("ana")] == ["rate", "replace"]


def test_a_photo_known_by_its_file_alone_is_rated_once(fitted, model, album, part, names, store, scores):
    fitted(part(0, 1, 2)).save(store)
    forget_pictures(store)
    person = model.load("ana", store=store).add({names[0]: 2}, images=album)
    assert [(one.image, one.score) for one in person.ratings] == [
        *list(part(1, 2).items()),
        (names[0], 2),
    ]
    assert person.save() == 2
    assert scores(model.load("ana", store=store)) == scores(person)


def test_a_photo_known_by_its_file_alone_is_withdrawn(fitted, model, album, part, names, store):
    fitted(part(0, 1, 2)).save(store)
    forget_pictures(store)
    person = model.load("ana", store=store).add({names[0]: 2}, images=album)
    person.forget([names[0]]).save()
    assert [one.image for one in Store(store).rated("ana")] == list(part(1, 2))


def test_a_photo_that_another_person_shows_meanwhile_is_the_same(fitted, model, album, part, names, store):
    fitted(part(0, 1, 2)).save(store)
    forget_pictures(store)
    person = model.load("ana", store=store).add(part(3), images=album)
    model.fit_user({names[1]: 2}, images=album, user="ben").save(store)
    assert person.save() == 2
    assert said(store) == part(0, 1, 2, 3)


def forget_pictures(store):
    """Know all photos by their files alone, as a store of an earlier release does."""
    with Store(store).database.writing() as sql:
        sql.run("UPDATE photos SET identity = (SELECT sha256 FROM file_digests WHERE photo_id = photos.id)")
