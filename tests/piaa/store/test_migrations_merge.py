"""What counts of people whose ratings lay in two places: merged by time, with nothing dropped."""

from __future__ import annotations

import pytest

from piaa.store.store import Store

MODEL = "842c7752735f11cabfdb007a43ec3a4fcbfca1e612859d4d66e6ff5d63caa8e7"
NAMES = [f"photo-{n:02d}.jpg" for n in range(16)]
NAMES[2], NAMES[5] = "sommer 2024/Größe – ærø 写真.jpg", 'it\'s 100 % "mine".jpg'
"""Those of the album; see fixtures/schema-2/people.py for what was done."""
CYCLE = (5, 1, 4, 2, 3, 5, 2, 1, 4, 3)


def table(numbers: range) -> dict[str, float]:
    return {NAMES[n]: CYCLE[n % 10] for n in numbers}


def http(scores: dict[int, float]) -> dict[str, float]:
    return {f"upload {n}.jpg": score for n, score in scores.items()}


@pytest.fixture(params=["sqlite", "postgres"])
def store(request, schema_2):
    if request.param == "sqlite":
        yield Store(schema_2.file())
        return
    schema_2.postgres(request.getfixturevalue("postgres"))
    store = Store(request.getfixturevalue("postgres"))
    yield store
    store.close()


def story(store: Store, user: str) -> list[tuple[str, str, str, int, int]]:
    return [
        (one.what, one.source, one.at.removesuffix(":00:00+00:00"), one.n_added, one.n_ended)
        for one in store.history(user)
    ]


def counting(store: Store, user: str) -> dict[str, float]:
    return {one.image: one.score for one in store.said(user, MODEL).ratings}


def test_ana_whose_ratings_over_http_contradict_earlier_ones(store):
    later = http({0: 2, 1: 4, 2: 1, 13: 5, 14: 2, 15: 3})
    assert counting(store, "ana") == {**table(range(3, 13)), **later}
    assert story(store, "ana") == [
        ("rate", "table", "2025-03-01T09", 10, 0),
        ("rate", "table", "2025-03-01T10", 4, 0),
        ("rate", "http", "2025-03-01T22", 6, 4),
    ]
    # Version 2 counts, which was learned before; restoring it brings back what it was learned from.
    assert store.active("ana") == 2
    store.restore("ana", 2, source="terminal")
    assert counting(store, "ana") == table(range(14))
    store.undo("ana", source="terminal")
    assert counting(store, "ana") == {**table(range(3, 13)), **later}


def test_bea_whose_ratings_in_the_terminal_contradict_earlier_ones(store):
    left = http({n: CYCLE[n % 10] for n in range(5, 11)})
    assert counting(store, "bea") == {**left, NAMES[2]: 5, NAMES[3]: 3, NAMES[4]: 5}
    assert story(store, "bea") == [
        ("rate", "http", "2025-03-01T23", 8, 0),
        ("rate", "http", "2025-03-02T00", 1, 0),
        ("rate", "table", "2025-03-02T09", 3, 3),
    ]
    before = {**left, **http({2: 1, 3: 2, 4: 3})}
    assert {one.image: one.score for one in store.load("bea", 1).ratings} == before
    assert store.undo("bea", source="terminal")[1] == [1]
    assert counting(store, "bea") == before


def test_eli_whose_second_version_counts(store):
    first = http({n: CYCLE[n] for n in range(4)})
    assert counting(store, "eli") == {**first, **table(range(4, 9))}
    assert story(store, "eli") == [
        ("rate", "http", "2025-03-02T03", 6, 0),
        ("rate", "table", "2025-03-02T10", 5, 2),
    ]
    assert (store.active("eli"), len(store.versions("eli"))) == (2, 3)


def test_odd_names_are_merged_alike(store):
    (odd,) = [one.user for one in store.users() if len(one.user) == 200]
    assert counting(store, odd) == {**http({0: 5, 1: 1}), NAMES[2]: 4, NAMES[3]: 2}
    assert story(store, odd) == [
        ("rate", "http", "2025-03-02T06", 3, 0),
        ("rate", "table", "2025-03-02T11", 2, 1),
    ]


def test_chi_of_comparisons_alone(store):
    said = store.said("chi", MODEL)
    pairs = [(0, 1), (0, 3), (4, 6), (7, 3), (8, 9)]
    assert [one.pair for one in said.comparisons] == [(NAMES[a], NAMES[b]) for a, b in pairs]
    assert (said.ratings, len(said.vectors)) == ((), 8)
    assert store.versions("chi")[0].extra == {}
    assert [one.pair for one in store.load("chi").comparisons] == [one.pair for one in said.comparisons]
    assert story(store, "chi") == [("compare", "table", "2025-03-01T11", 5, 0)]


@pytest.mark.parametrize(
    ("user", "scale", "expected"),
    [
        ("dora", (1, 10), http({n: 1 + n for n in range(7)})),
        ("jan", (1, 5), {f"old {n}.jpg": n for n in (1, 2, 3)}),
        ("kim", (1, 5), table(range(3))),
        ("lea", (1, 5), table(range(3))),
    ],
)
def test_people_known_over_http_alone(store, user, scale, expected):
    assert counting(store, user) == expected
    assert store.said(user, MODEL).scale == scale
    assert [one[:2] for one in story(store, user)] == [("rate", "http")]
    assert store.active(user) is None


def test_jan_who_rated_under_another_model(store):
    assert store.said("jan", MODEL).vectors == {}
    assert {one.shape for one in store.said("jan", "ab" * 32).vectors.values()} == {(9,)}


def test_hal_whose_photos_are_known_by_name_alone(store):
    ratings = store.said("hal", MODEL).ratings
    assert [(one.image, one.sha256 is None, one.score) for one in ratings] == [
        ("my photo.jpg", True, 0),
        ("Ærø/b\tc.jpg", True, 100),
        ("写真 – 3.jpg", True, 55.5),
        ("known.jpg", False, 20),
    ]
    assert len({one.photo for one in ratings}) == 4
    assert store.said("hal", MODEL).scale == (0, 100)
    (ana,) = [one for one in store.rated("ana") if one.image == NAMES[3]]
    assert ratings[3].photo == ana.photo  # by the file's sha256


def test_ida_and_gus_and_fay(store):
    ida = {**table(range(6)), NAMES[3]: 4, NAMES[6]: 2}
    del ida[NAMES[1]]
    assert counting(store, "ida") == ida
    assert [one.version for one in store.versions("ida")] == [3]
    assert counting(store, "gus") == table(range(3, 7))
    assert store.said("gus", MODEL).scale == (0, 10)
    assert [one.adapter for one in store.versions("gus")] == [
        *("generic", "bias", "ridge", "pam", "neighbours", "pairs")
    ]
    assert counting(store, "fay") == table(range(5))
