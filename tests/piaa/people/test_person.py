"""A person who learns on: always what a fit of what remains gives."""

from __future__ import annotations

import pytest

from generic.errors import PiaaError, RatingsError, TooFewRatings


def rated(person):
    return {one.image: one.score for one in person.ratings}


def test_added_ratings_are_as_if_given_at_once(fitted, album, part, table, scores):
    one = fitted(part(0, 1, 2))
    more = one.add(part(3, 4), images=album).add(part(5, 6, 7, 8, 9), images=album)
    assert rated(more) == table
    assert scores(more) == scores(fitted(table))
    assert rated(one) == part(0, 1, 2)  # a person does not change


@pytest.mark.parametrize("duplicates", ["error", "last", "mean"])
def test_of_a_photo_rated_again_the_newest_counts(fitted, album, part, names, duplicates):
    one = fitted(part(0, 1, 2))
    again = {names[1]: 5, names[5]: 2}
    more = one.add(again, images=album, duplicates=duplicates)
    assert list(rated(more).items()) == list({**part(0, 2), **again}.items())
    assert rated(one) == part(0, 1, 2)


def test_two_scores_of_one_photo_among_the_new_ones(fitted, album, part, names):
    one, twice = fitted(part(0, 1)), [(names[2], 4), (f"./{names[2]}", 1)]
    with pytest.raises(RatingsError) as caught:
        one.add(twice, images=album)
    assert str(caught.value) == (
        f"the ratings: 1 of 2 rows is bad: row 2, image './{names[2]}' was already rated by user 'ana' on "
        f"row 1 as {names[2]!r}. To do: delete one of the two rows, or pass --duplicates last or "
        "--duplicates mean"
    )
    assert rated(one.add(twice, images=album, duplicates="last"))[names[2]] == 1
    assert rated(one.add(twice, images=album, duplicates="mean"))[names[2]] == 2.5


def test_a_forgotten_rating_was_never_given(fitted, part, names, scores):
    less = fitted(part(0, 1, 2, 3)).forget([names[1], names[3]])
    assert rated(less) == part(0, 2)
    assert scores(less) == scores(fitted(part(0, 2)))


def test_what_cannot_be_forgotten(fitted, part, names):
    one = fitted(part(0, 1))
    with pytest.raises(RatingsError) as caught:
        one.forget(["sunset.jpg"])
    assert str(caught.value) == (
        "user 'ana' has no rating of 'sunset.jpg' among 2; see: piaa users show NAME"
    )
    with pytest.raises(TooFewRatings) as caught:
        one.forget(names[:2])
    assert str(caught.value) == (
        "this would forget all that user 'ana' said, and an adapter needs at least 1 rating; delete the "
        "person instead"
    )


def test_comparisons_count_again_once_the_last_rating_is_forgotten(fitted, model, album, part, names, store):
    pairs = [(names[3], names[4])]
    model.fit_pairs(pairs, images=album, user="ana").save(store)
    fitted(part(0)).save(store, add=True)
    person = model.load("ana", store=store)
    assert (rated(person), person.adapter.name) == (part(0), "auto")
    less = person.forget([names[0]])
    assert ([one.pair for one in less.comparisons], less.adapter.name) == (pairs, "pairs")
    assert less.save() == 3
    assert model.load("ana", store=store).adapter.name == "pairs"


def test_ratings_join_a_person_who_compared(fitted, model, album, part, names, scores):
    person = model.fit_pairs([(names[3], names[4])], images=album, user="ana")
    more = person.add(part(0, 1), images=album)
    assert (rated(more), more.n_unused, len(more.comparisons)) == (part(0, 1), 0, 1)
    both = fitted(part(0, 1), adapter=more.adapter.name, pairs=[(names[3], names[4])])
    assert scores(more) == scores(both)


def test_which_of_two_photos_she_prefers(fitted, album, names, scores):
    table = {name: 1 + place % 5 for place, name in enumerate(names)}
    person = fitted(table)
    ranked = sorted(names, key=scores(person).__getitem__)
    sure = person.prefers(album / ranked[-1], album / ranked[0])
    assert 0.5 < person.prefers(album / ranked[6], album / ranked[5]) < sure < 1
    assert person.prefers(album / ranked[0], album / ranked[-1]) == pytest.approx(1 - sure)
    with pytest.raises(PiaaError) as caught:
        fitted(table, adapter="ridge").prefers(album / names[0], album / names[1])
    assert str(caught.value) == (
        "adapter 'ridge' does not say how sure it is of two photos; learn 'ana' by auto or bayes"
    )


def test_how_sure_a_place_is_says_what_she_prefers_to_the_middle_photo(fitted, album, names):
    person = fitted({name: 1 + place % 5 for place, name in enumerate(names)})
    table = person.score_table(album)
    middle, after = table.images[(len(table) - 1) // 2 :][:2]
    for image, sure in zip(table.images, table.sure, strict=True):
        told = person.prefers(album / image, album / (after if image == middle else middle))
        assert sure == pytest.approx(max(told, 1 - told), abs=1e-12)
    two = person.score_table([album / table.images[0], album / table.images[-1]]).sure
    assert two == pytest.approx([person.prefers(album / table.images[0], album / table.images[-1])] * 2)
    assert person.score(album)["sure"].tolist() == table.sure.tolist()
    assert person.score_table(album / middle).sure.tolist() == [0.5]
    assert fitted({names[0]: 5, names[1]: 2}, adapter="ridge").score_table(album).sure is None


def test_comparisons_join_a_person_who_rated_and_are_withdrawn(fitted, album, part, names, scores, store):
    pairs = [(names[3], names[4]), (names[5], names[3])]
    person = fitted(part(0, 1)).add_pairs(pairs[:1], images=album).add_pairs(pairs, images=album)
    assert [one.pair for one in person.comparisons] == pairs
    both = fitted(part(0, 1), pairs=pairs)
    assert scores(person) == scores(both) != scores(fitted(part(0, 1)))
    assert scores(person.forget([names[3]])) == scores(fitted(part(0, 1)))
    assert scores(person.forget([names[0]])) == scores(fitted(part(1), pairs=pairs))
    person.save(store)
    loaded = person.model.load("ana", store=store)
    assert scores(loaded) == scores(person)
    assert [one.pair for one in loaded.comparisons] == pairs
    more = loaded.add(part(2), images=album)
    assert scores(more) == scores(fitted(part(0, 1, 2), pairs=pairs))


def test_an_adapter_that_needs_pixels_does_not_learn_on(fitted, album, part, names):
    pytest.importorskip("torch")
    person = fitted(part(0, 1), adapter="lora")
    for learn_on in (lambda: person.add(part(2), images=album), lambda: person.forget([names[0]])):
        with pytest.raises(PiaaError) as caught:
            learn_on()
        assert str(caught.value) == (
            "user 'ana' was learned by adapter 'lora', which learns from more than what is kept of her; fit "
            "again with the photos: piaa fit-user --user NAME --images DIR"
        )
