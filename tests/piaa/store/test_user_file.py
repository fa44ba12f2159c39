"""One person in a file: exported and imported whole, and refused if a byte of it is not what it was."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import random
from pathlib import Path

import pytest

from generic.errors import OutputError, StoreError
from piaa.store.store import Store


@pytest.fixture
def exported(file_store, sayings, tmp_path) -> Path:
    for n in range(3):
        file_store.say("ana", sayings.rated({n: 3, n + 1: 4}))
        sayings.fit(file_store, "ana", extra={"n": n})
    file_store.export("ana", tmp_path / "all.json", all_versions=True)
    return tmp_path / "all.json"


def test_export_and_import_are_bit_equal(store, sayings, tmp_path):
    for n in range(3):
        store.say("ana", sayings.rated({n: 3, n + 1: 4}))
        sayings.fit(store, "ana", extra={"n": n})
    store.say("ana", sayings.compared((7, 8, "equal"), (8, 9, "b")))
    store.keep("ana", *sayings.fitted_pairs(store, "ana"))
    store.say("ana", sayings.flagged({5: "reject"}))
    store.restore("ana", 3, source="terminal")
    assert len(store.export("ana", tmp_path / "all.json", all_versions=True).versions) == 4
    assert len(store.export("ana", tmp_path / "one.json").versions) == 1
    other = Store(tmp_path / "other.db")
    summary = other.import_(tmp_path / "all.json")
    assert (summary.user, summary.n_ratings, summary.n_versions) == ("ana", 4, 4)
    for version in (1, 2, 3, 4):
        loaded = [one.load("ana", version) for one in (other, store)]
        assert loaded[0] == loaded[1]
        assert [[row.photo for row in one.ratings] for one in loaded[:1]] == [
            [row.photo for row in one.ratings] for one in loaded[1:]
        ]
    for call in (Store.flags, Store.rated):
        assert call(other, "ana") == call(store, "ana")
    said = [one.said("ana", sayings.MODEL) for one in (other, store)]
    assert (said[0].ratings, said[0].comparisons, said[0].digest) == (
        said[1].ratings,
        said[1].comparisons,
        said[1].digest,
    )
    other.export("ana", tmp_path / "again.json", all_versions=True)
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "all.json").read_bytes()
    bea = store.import_(tmp_path / "one.json", user="bea")
    assert (bea.n_versions, bea.latest.version) == (1, 3)
    assert store.load("bea").state == store.load("ana").state
    assert sayings.scores(store, "bea") == sayings.scores(store, "ana")
    store.say("bea", sayings.rated({1: 1}))
    assert sayings.fit(store, "bea") == 4


def test_somebody_of_whom_nothing_was_learned(store, sayings, tmp_path):
    store.say("ana", sayings.rated({1: 9, 2: 2}, scale=(1, 10)))
    store.say("ana", sayings.rated({1: 4}))
    assert store.export("ana", tmp_path / "ana.json").versions == ()
    store.delete("ana", source="terminal")
    assert store.import_(tmp_path / "ana.json").n_ratings == 2
    assert (sayings.scores(store, "ana"), store.said("ana", sayings.MODEL).scale) == (
        {"2.jpg": 2, "1.jpg": 4},
        (1, 10),
    )
    assert [one.score for one in store.rated("ana")] == [9, 2, 4]


def test_undo_of_an_import_brings_no_history_to_life(store, sayings, tmp_path):
    store.say("ana", sayings.rated({1: 5}))
    store.say("ana", sayings.rated({1: 4}))
    store.say("ana", sayings.rated({1: 3, 2: 2}))
    sayings.fit(store, "ana")
    store.export("ana", tmp_path / "ana.json")
    store.import_(tmp_path / "ana.json", user="bea")
    assert [one.what for one in store.history("bea")] == ["import"]
    store.undo("bea", source="terminal")
    assert sayings.scores(store, "bea") == {}
    store.restore("bea", 1, source="terminal")
    assert sayings.scores(store, "bea") == {"1.jpg": 3, "2.jpg": 2}


def test_import_does_not_replace_unasked(file_store, exported, sayings, refusal):
    file_store.delete("ana", source="terminal")
    file_store.say("ana", sayings.rated({9: 1}))
    assert refusal(StoreError, file_store.import_, exported) == (
        f"store '{file_store.name}' already has a user 'ana'; import under another name with --user NAME, "
        "or replace the user and all versions with --replace"
    )
    assert sayings.scores(file_store, "ana") == {"9.jpg": 1}
    assert file_store.import_(exported, replace=True).n_versions == 3
    assert [summary.version for summary in file_store.versions("ana")] == [1, 2, 3]
    assert "9.jpg" not in sayings.scores(file_store, "ana")
    sayings.assert_sound(Path(file_store.name))


def test_failed_import_leaves_the_old_user(file_store, exported, sayings, refusal):
    before = sayings.everything(file_store.database)
    exported.write_bytes(exported.read_bytes()[:-100])
    refusal(StoreError, file_store.import_, exported, replace=True)
    assert sayings.everything(file_store.database) == before


def test_export_does_not_touch_an_old_file_when_it_fails(file_store, sayings, tmp_path, refusal):
    file_store.say("ana", sayings.rated({1: 1}))
    target = tmp_path / "none" / "ana.json"
    assert refusal(OutputError, file_store.export, "ana", target) == (
        f"cannot write '{target}': the folder '{target.parent}' does not exist; "
        "create it or name a file in another folder"
    )


def test_export_replaces_an_export_and_nothing_else(file_store, sayings, tmp_path, refusal):
    file_store.say("ana", sayings.rated({1: 1}))
    photo, before = tmp_path / "photo.jpg", b"\xff\xd8 a photo"
    photo.write_bytes(before)
    assert refusal(OutputError, file_store.export, "ana", photo) == (
        f"cannot write '{photo}': it is there, and no file that piaa users export wrote; name another file"
    )
    assert photo.read_bytes() == before
    for _ in range(2):
        file_store.export("ana", tmp_path / "ana.json")


@pytest.fixture
def refused(tmp_path, refusal):
    """The reason why a file with this content is not imported; the store must not even be created."""

    def reason(data: bytes) -> str:
        path = tmp_path / "bad.json"
        path.write_bytes(data)
        fresh = Store(tmp_path / "fresh" / "piaa.db")
        message = refusal(StoreError, fresh.import_, path)
        assert not (tmp_path / "fresh").exists()
        assert message.startswith(f"cannot import '{path}': ")
        assert message.endswith(" (the store is unchanged)")
        return message.removeprefix(f"cannot import '{path}': ").removesuffix(" (the store is unchanged)")

    return reason


def test_file_that_is_no_export(refused, refusal, tmp_path):
    no_export = "it is not a file that piaa users export wrote; name such a file"
    for data in (
        b"",
        b"\xff\xfe",
        b"{",
        b"[1]",
        b"{}",
        b'{"format": NaN}',
        b"[" * 100_000,
        b'{"format": "x"}',
    ):
        assert refused(data) == no_export
    missing = tmp_path / "missing.json"
    assert refusal(StoreError, Store(tmp_path / "s.db").import_, missing) == (
        f"cannot import '{missing}': it cannot be read: No such file or directory; "
        "name a file that piaa users export wrote (the store is unchanged)"
    )
    for depth in range(850, 1000, 5):
        nested = b"[" * depth + b"]" * depth
        refused(b'{"format": "piaa-user", "format_version": 1, "versions": ' + nested + b"}")
    assert refused(b'{"format": "piaa-user", "format_version": 2}') == (
        "it has format version 2, but this piaa knows version 1; upgrade piaa: pip install --upgrade piaa"
    )


def test_every_flipped_character_is_noticed(exported, refused):
    original = exported.read_bytes()
    draw = random.Random(1)
    tampered = 0
    for position in draw.sample(range(len(original)), 150):
        data = bytearray(original)
        data[position] ^= draw.choice([1, 2, 4, 8])
        with contextlib.suppress(ValueError):
            if json.loads(data) == json.loads(original):
                continue
        refused(bytes(data))
        tampered += 1
    assert tampered > 100
    changed = original.replace(b'"model_name": "piaa-lite"', b'"model_name": "piaa-late"')
    assert refused(changed) == (
        "its content does not fit its checksum; it was damaged or edited, export it again"
    )


def forge(path: Path, change) -> bytes:
    """An edited export with a checksum that fits."""
    content = json.loads(path.read_bytes())
    del content["sha256"]
    change(content)
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return json.dumps({**content, "sha256": hashlib.sha256(text.encode()).hexdigest()}).encode()


def last(**values):
    return lambda content: content["versions"][-1].update(values)


def first_of(kind: str, **values):
    return lambda content: content["said"][kind][0].update(values)


CASES = [
    (lambda c: c.pop("user"), "'user' is missing"),
    (
        lambda c: c.update(user="a\nb"),
        r"user name 'a\nb' contains the control character U+000A; choose another name",
    ),
    (lambda c: c["versions"][0].pop("state"), "'state' is missing"),
    (last(version=0), "version 0"),
    (last(version=True), "version True"),
    (last(version=2**31), "version 2147483648"),
    (last(created="2026-01-01T00:00:00"), "created '2026-01-01T00:00:00' is not in UTC"),
    (last(state="%%%"), "Only base64 data is allowed"),
    (
        last(scale_low=9),
        "this adapter cannot be stored: scale 9 to 5.0 is not two finite numbers, the lower one first; "
        "fit the user again",
    ),
    (
        last(ratings=[["a.jpg", None, 10**400]]),
        f"this adapter cannot be stored: rating 1: score {10**400} is not a finite number; "
        "fit the user again",
    ),
    (last(ratings=[["a.jpg", None]]), "not enough values to unpack (expected 3, got 2)"),
    (first_of("ratings", image=""), "image in one of the ratings"),
    (first_of("ratings", image="d\udce9.jpg"), "image in one of the ratings"),
    (first_of("ratings", image=5), "image in one of the ratings"),
    (first_of("ratings", photo="zz"), "photo in one of the ratings"),
    (first_of("ratings", sha256=5), "sha256 in one of the ratings"),
    (first_of("ratings", sha256="AB"), "sha256 in one of the ratings"),
    (first_of("ratings", score="4"), "score in one of the ratings"),
    (first_of("ratings", scale_low=5), "scale in one of the ratings"),
    (lambda c: c["said"]["ratings"][0].pop("counts"), "'counts' is missing"),
    (lambda c: c["said"].update(scale=[5, 1]), "scale [5, 1]"),
    (first_of("vectors", vector="AAAAAAA="), "vector of 5 bytes"),
    (first_of("vectors", vector=base64.b64encode(b"\0\0\xc0\x7f").decode()), "vector that is not finite"),
    (
        first_of("vectors", vector=base64.b64encode(bytes(8)).decode()),
        "vectors of 8 and of 36 bytes by one model",
    ),
    (first_of("vectors", photo=7), "photo 7 of a vector"),
    (first_of("vectors", model_hash=None), "model_hash None of a vector"),
]


@pytest.mark.parametrize(("change", "reason"), CASES)
def test_forged_values_are_refused(exported, refused, change, reason):
    assert refused(forge(exported, change)) == f"it holds a value that cannot be ({reason}); export it again"


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.update(versions=5),
        lambda c: c.update(versions=[5]),
        lambda c: c.update(user=5),
        lambda c: c.update(said=5),
        lambda c: c.update(said={"ratings": 5}),
        lambda c: c.update(said={"ratings": [5]}),
        lambda c: c.update(said={"vectors": [5]}),
        lambda c: c.update(said={"vectors": [{"photo": "a"}]}),
        last(more=1),
        last(state=5),
        last(created=5),
        last(ratings=5),
        last(extra=5),
        last(extra={"a": "\ud800"}),
        last(extra={"pairs": 5}),
    ],
)
def test_values_of_another_kind_are_refused(exported, refused, change):
    assert refused(forge(exported, change)).startswith("it holds a value that cannot be (")


def test_versions_that_are_none_or_twice_are_refused(exported, refused, file_store, tmp_path):
    without = forge(exported, lambda c: (c.update(versions=[]), c.pop("said")))
    assert refused(without) == ("it holds the versions [], expected one or more, each once; export it again")
    assert refused(forge(exported, last(version=1))) == (
        "it holds the versions [1, 1, 2], expected one or more, each once; export it again"
    )
    good = tmp_path / "good.json"
    good.write_bytes(forge(exported, last(state=base64.b64encode(b"other").decode())))
    assert Store(tmp_path / "other.db").import_(good).latest.n_bytes == 5
