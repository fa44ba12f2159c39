"""What one user may take of a store."""

from __future__ import annotations

import pytest

from piaa.store.quotas import OverQuota, Quota

HOW = "; withdraw some ratings, or ask whoever runs the server for more"


def test_within_it_all_is_as_without(store, sayings):
    quota = Quota(photos=3, ratings=4, n_bytes=10_000)
    assert store.say("ana", sayings.rated({1: 1, 2: 2, 3: 3}), quota=quota) == 3
    assert store.say("ana", sayings.rated({1: 5}), quota=quota) == 3
    store.check_quota("ana", quota)


@pytest.mark.parametrize(
    ("quota", "expected"),
    [
        (Quota(photos=3), "user 'ana' would have 4 photos, and at most 3 may be"),
        (
            Quota(ratings=3),
            "user 'ana' would have 4 ratings, comparisons and flags, with their history, "
            "and at most 3 may be",
        ),
        (Quota(n_bytes=1700), "user 'ana' would have 1744 bytes, and at most 1700 may be"),
    ],
)
def test_beyond_it_nothing_is_kept(store, sayings, refusal, quota, expected):
    store.say("ana", sayings.rated({1: 1, 2: 2, 3: 3}), quota=quota)
    before = sayings.everything(store.database)
    told = refusal(OverQuota, store.say, "ana", sayings.rated({4: 4}), quota=quota)
    assert told == expected + HOW
    assert sayings.everything(store.database) == before
    # What others have is theirs, and what she takes back makes room.
    store.say("ben", sayings.rated({4: 4}), quota=quota)
    store.withdraw("ana", ["1.jpg"], sayings.by_name, source="http")
    store.say("ana", sayings.rated({4: 4}), quota=quota)


def test_history_comparisons_and_flags_count(store, sayings, refusal):
    quota = Quota(ratings=5, photos=5)
    store.say("ana", sayings.rated({1: 1}), quota=quota)
    store.say("ana", sayings.rated({1: 2}), quota=quota)
    store.say("ana", sayings.compared((2, 3, "a"), (3, 4, "a")), quota=quota)
    store.say("ana", sayings.flagged({5: "pick"}), quota=quota)
    told = refusal(OverQuota, store.say, "ana", sayings.flagged({6: "pick"}), quota=quota)
    assert told.startswith("user 'ana' would have 6 photos, and at most 5 may be")
    told = refusal(OverQuota, store.say, "ana", sayings.flagged({5: "reject"}), quota=quota)
    assert told.startswith("user 'ana' would have 6 ratings, comparisons and flags")


def test_versions_take_bytes(store, sayings, refusal):
    store.say("ana", sayings.rated({1: 1, 2: 2, 3: 3}))
    quota = Quota(n_bytes=2000)
    store.check_quota("ana", quota)
    record, said = sayings.fitted(store, "ana")
    store.keep("ana", record, said, linear_form=b"f" * 1000)
    assert "bytes, and at most 2000 may be" in refusal(OverQuota, store.check_quota, "ana", quota)
