"""Stars that piaa wrote are known as long as they may be found in a file, and go with the person."""

from __future__ import annotations

from piaa.store.store import Store
from piaa.store.written import WrittenStar


def star(sayings, number: int, stars: int, file: str = "/photos/a.xmp", **changes) -> WrittenStar:
    return WrittenStar(photo=sayings.photo(number, vector=None, **changes), file=file, star=stars)


def known(store, sayings, *numbers: int) -> list[set[int]]:
    found = store.written([sayings.photo(number).identity for number in numbers])
    return [set(found.get(sayings.photo(number).identity, ())) for number in numbers]


def count(store, table: str) -> int:
    with store.database.reading() as sql:
        return sql.run(f"SELECT count(*) FROM {table}")[0][0]


def test_stars_are_known_for_whomever_they_were_written(store, sayings):
    store.say("ana", sayings.rated({5: 3}))
    store.say("ben", sayings.rated({}))
    assert known(store, sayings, 1, 2) == [set(), set()]
    store.note_written(
        "ana", [star(sayings, 1, 4), star(sayings, 1, 2, "/photos/b.xmp"), star(sayings, 2, 5)]
    )
    store.note_written("ben", [star(sayings, 2, 1, "/ben/a.xmp")])
    assert known(store, sayings, 1, 2, 3) == [{2, 4}, {1, 5}, set()]
    store.note_written("ana", [star(sayings, 1, 3)])
    assert known(store, sayings, 1) == [{2, 3}]
    store.forget_written("ana", ["/photos/a.xmp"])
    assert known(store, sayings, 1, 2) == [{2}, {1}]


def test_a_store_that_is_not_there_knows_none(tmp_path, sayings):
    assert known(Store(tmp_path / "none.db"), sayings, 1) == [set()]
    assert not (tmp_path / "none.db").exists()


def test_a_rating_that_is_withdrawn_takes_no_star_with_it(store, sayings):
    store.say("ana", sayings.rated({1: 3, 2: 4}))
    store.note_written("ana", [star(sayings, 1, 4)])
    store.withdraw("ana", ["1.jpg", "2.jpg"], sayings.by_name, source="terminal")
    assert known(store, sayings, 1) == [{4}]
    assert count(store, "photos") == 1
    store.delete("ana", source="terminal")
    assert known(store, sayings, 1) == [set()]
    assert (count(store, "photos"), count(store, "written")) == (0, 0)


def test_photos_that_turn_out_to_be_one_keep_their_stars(store, sayings):
    file = sayings.photo(1).sha256
    store.say("ana", sayings.rated({}))
    store.note_written("ana", [star(sayings, 1, 4, identity=file), star(sayings, 2, 5, identity=file)])
    store.note_written("ana", [star(sayings, 1, 2, "/b.xmp", identity=file)])
    store.note_written("ana", [star(sayings, 1, 3)])
    assert known(store, sayings, 1) == [{2, 3}]


def test_a_backup_has_them(store, sayings, tmp_path):
    from piaa.store.backup import back_up

    store.say("ana", sayings.rated({}))
    store.note_written("ana", [star(sayings, 1, 4)])
    back_up(store.database, tmp_path / "backup.db")
    assert known(Store(tmp_path / "backup.db"), sayings, 1) == [{4}]
