"""The store wherever it lies: what is said is there again, for one person alone, all of it or nothing."""

from __future__ import annotations

import datetime
import threading

import pytest

from generic.errors import NotFitted, ScaleError, StoreError, UnknownUser
from piaa.store.serving import ServingStore


def test_what_is_said_is_there_again(store, sayings):
    before = datetime.datetime.now(datetime.UTC)
    odd = sayings.photo(2, image="a\n'; DROP TABLE users; --.jpg", sha256=None)
    said = sayings.rated({}, ratings=[(sayings.photo(1), 4), (odd, 0.1 + 0.2)], scale=(0, 5.5))
    assert store.say("ana", said) == 2
    assert store.say("ana", sayings.compared((1, 3, "b"), (3, 4, "equal"), source="http")) == 2
    assert store.say("ana", sayings.flagged({5: "pick", 6: "reject"})) == 2
    found = store.said("ana", sayings.MODEL)
    assert found.scale == (0.0, 5.5)
    assert [(one.image, one.photo, one.sha256, one.score, one.scale) for one in found.ratings] == [
        ("1.jpg", sayings.photo(1).identity, sayings.photo(1).sha256, 4.0, (0.0, 5.5)),
        (odd.image, odd.identity, None, 0.1 + 0.2, (0.0, 5.5)),
    ]
    assert [(one.a, one.b, one.outcome, one.pair, one.source) for one in found.comparisons] == [
        ("1.jpg", "3.jpg", "b", ("3.jpg", "1.jpg"), "http"),
        ("3.jpg", "4.jpg", "equal", ("3.jpg", "4.jpg"), "http"),
    ]
    assert [(one.image, one.flag) for one in store.flags("ana")] == [("5.jpg", "pick"), ("6.jpg", "reject")]
    seen = {sayings.photo(n).identity: sayings.vector(n).tobytes() for n in (1, 2, 3, 4)}
    assert {photo: vector.tobytes() for photo, vector in found.vectors.items()} == seen
    assert found.damaged == frozenset()
    for one in (*found.ratings, *found.comparisons, *store.flags("ana")):
        given = datetime.datetime.fromisoformat(one.given)
        assert before <= given <= datetime.datetime.now(datetime.UTC)
        assert given.utcoffset() == datetime.timedelta(0)


def test_of_a_photo_rated_again_the_new_score_counts(store, sayings):
    assert store.say("ana", sayings.rated({1: 4, 2: 3})) == 2
    assert store.say("ana", sayings.rated({2: 5, 3: 1}, source="http")) == 3
    assert sayings.scores(store, "ana") == {"1.jpg": 4, "2.jpg": 5, "3.jpg": 1}
    assert [(one.image, one.score) for one in store.rated("ana")] == [
        ("1.jpg", 4),
        ("2.jpg", 3),
        ("2.jpg", 5),
        ("3.jpg", 1),
    ]
    assert [(one.what, one.source, one.n_added, one.n_ended) for one in store.history("ana")] == [
        ("rate", "table", 2, 0),
        ("rate", "http", 2, 1),
    ]


def test_what_replaces_leaves_the_rest_as_history(store, sayings):
    store.say("ana", sayings.rated({1: 4, 2: 3}))
    store.say("ana", sayings.compared((1, 2, "a")))
    assert store.say("ana", sayings.rated({3: 9}, scale=(1, 10)), replace=True) == 1
    said = store.said("ana", sayings.MODEL)
    assert ({one.image for one in said.ratings}, said.scale) == ({"3.jpg"}, (1, 10))
    assert len(said.comparisons) == 1  # ratings take the place of ratings
    store.say("ana", sayings.compared((3, 4, "a")), replace=True)
    assert [one.pair for one in store.said("ana", sayings.MODEL).comparisons] == [("3.jpg", "4.jpg")]
    assert [(one.what, one.n_added, one.n_ended) for one in store.history("ana")] == [
        ("rate", 2, 0),
        ("compare", 1, 0),
        ("replace", 1, 2),
        ("replace", 1, 1),
    ]
    assert [one.score for one in store.rated("ana")] == [4, 3, 9]


def test_a_flag_is_no_rating_and_the_last_one_counts(store, sayings):
    store.say("ana", sayings.flagged({1: "pick"}))
    store.say("ana", sayings.flagged({1: "reject"}))
    assert [(one.image, one.flag) for one in store.flags("ana")] == [("1.jpg", "reject")]
    assert store.said("ana", sayings.MODEL).ratings == ()


def test_the_scale_is_that_of_the_ratings_before(store, sayings, refusal):
    store.say("ana", sayings.rated({1: 9}, scale=(1, 10)))
    store.say("ana", sayings.rated({2: 10}))
    assert refusal(ScaleError, store.say, "ana", sayings.rated({3: 2}, scale=(1, 5))) == (
        "user 'ana' rated on 1..10 so far, not on 1..5; rate on the same scale, "
        "or put these in the place of the old ratings: piaa fit-user --replace"
    )
    for score in (11, 0.5, float("nan"), float("inf")):
        assert refusal(ScaleError, store.say, "ana", sayings.rated({3: score})) == (
            f"score {score:g} of image '3.jpg' lies outside the scale 1..10; "
            "correct the score or give its real scale"
        )
    assert sayings.scores(store, "ana") == {"1.jpg": 9, "2.jpg": 10}
    store.say("bea", sayings.rated({1: 5}))
    assert store.said("bea", sayings.MODEL).scale == (1, 5)


def test_people_do_not_share_what_they_say(store, sayings):
    for user, score in (("ana", 1), ("Ana", 2), ("Ána Lúcia; DROP TABLE users", 3), ("%_*?", 4)):
        store.say(user, sayings.rated({1: score}))
    assert [(one.user, one.n_ratings) for one in store.users()] == [
        ("%_*?", 1),
        ("Ana", 1),
        ("ana", 1),
        ("Ána Lúcia; DROP TABLE users", 1),
    ]
    assert sayings.scores(store, "ana") == {"1.jpg": 1}
    assert store.delete("ana", source="terminal").n_versions == 0
    assert [one.user for one in store.users()] == ["%_*?", "Ana", "Ána Lúcia; DROP TABLE users"]
    assert sayings.scores(store, "Ana") == {"1.jpg": 2}


def test_unknown_users_are_named_with_similar_ones(store, sayings, refusal, tmp_path):
    for name in ("ana", "anna", "zoe"):
        store.say(name, sayings.rated({1: 1}))
    calls = [
        lambda name: store.said(name, sayings.MODEL),
        store.rated,
        store.flags,
        store.history,
        store.load,
        store.versions,
        store.active,
        store.content,
        lambda name: store.restore(name, 1, source="terminal"),
        lambda name: store.undo(name, source="terminal"),
        lambda name: store.delete(name, source="terminal"),
        lambda name: store.withdraw(name, ["1.jpg"], sayings.by_name, source="terminal"),
        lambda name: store.export(name, tmp_path / "x.json"),
        lambda name: store.keep(name, *sayings.fitted(store, "ana")),
    ]
    option = f" --store {store.name}" if store.database.option() else ""
    meant = "; did you mean 'anna' or 'ana'? " if not store.database.served else ""
    listed = f"see all users with: piaa users list{option}" if not store.database.served else ""
    for call in calls:
        assert refusal(UnknownUser, call, "annaa") == (
            f"store '{store.name}' has no user 'annaa'{meant}{listed}"
        )
        assert refusal(UnknownUser, call, "xyz") == (
            f"store '{store.name}' has no user 'xyz'{listed and '; '}{listed}"
        )


def test_impossible_names_are_refused_everywhere(store, sayings, refusal, tmp_path):
    store.say("ana", sayings.rated({1: 1}))
    store.export("ana", tmp_path / "ana.json")
    calls = [
        lambda name: store.say(name, sayings.rated({1: 1})),
        store.load,
        store.history,
        lambda name: store.delete(name, source="terminal"),
        lambda name: store.export(name, tmp_path / "x.json"),
        lambda name: store.import_(tmp_path / "ana.json", user=name),
    ]
    for call in calls:
        assert refusal(StoreError, call, "") == "user name '' is empty; choose another name"
        assert refusal(StoreError, call, "x" * 201) == (
            f"user name '{'x' * 20}...' is 201 characters long, but 200 are allowed; choose another name"
        )
    assert [user.user for user in store.users()] == ["ana"]


def test_somebody_of_whom_nothing_was_learned(store, sayings, refusal):
    store.say("ana b", sayings.rated({1: 4}))
    option = store.database.option()
    assert refusal(NotFitted, store.load, "ana b") == (
        f"nothing was learned yet from what user 'ana b' in store '{store.name}' said; "
        f"learn: piaa fit-user --user 'ana b'{option}"
    )
    assert (store.versions("ana b"), store.active("ana b")) == ([], None)
    (one,) = store.users()
    assert (one.user, one.n_ratings, one.n_versions, one.latest) == ("ana b", 1, 0, None)
    assert [(row.user, row.active, row.n_ratings) for row in ServingStore(store.database).page(0, 9)] == [
        ("ana b", None, 1)
    ]


def test_what_fails_leaves_nothing(store, sayings):
    store.say("ana", sayings.rated({1: 4}))
    before = sayings.everything(store.database)

    def fail() -> None:
        with store.database.writing() as sql:
            sql.run("DELETE FROM users")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with pytest.raises(ScaleError):  # the photo and its vector were written by then
        store.say("ana", sayings.rated({2: 77}))
    with pytest.raises(ScaleError):
        store.say("bea", sayings.rated({2: 77}))
    assert sayings.everything(store.database) == before


def test_threads_lose_nothing(store, sayings):
    failures = []

    def tell(start: int) -> None:
        try:
            for number in range(start, start + 10):
                store.say("ana", sayings.rated({number: 1 + number % 5}))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=tell, args=(start,)) for start in (0, 5, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sayings.scores(store, "ana") == {f"{n}.jpg": 1 + n % 5 for n in range(20)}
    assert len(store.rated("ana")) == 30


def test_the_store_imports_nothing_heavy(program):
    process = program("""
        import sys
        import piaa.store.store
        heavy = {"torch", "pandas", "sklearn", "scipy", "psycopg", "platformdirs", "onnxruntime"}
        print(sorted(heavy & sys.modules.keys()))
    """)
    assert process.communicate(timeout=60) == ("[]\n", "")
