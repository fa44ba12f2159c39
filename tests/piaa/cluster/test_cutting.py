"""Shards stay where their photos stay; their sizes keep their limits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from piaa.cluster.cutting import cut
from piaa.cluster.found import Found

PHOTOS = [Found(f"/photos/{n:05}.jpg", n, "1") for n in range(2000)]


def names(photos) -> list[str]:
    return [one.name for one in cut(photos, 50)]


@given(st.integers(1, 40), st.integers(0, 400))
def test_all_photos_are_in_one_shard_each_of_a_size_within_its_limits(size, n):
    pieces = list(cut(PHOTOS[:n], size))
    assert [photo for one in pieces for photo in one.photos] == PHOTOS[:n]
    assert all(max(1, size // 2) <= len(one.photos) <= 2 * size for one in pieces[:-1])


def test_a_new_photo_changes_few_shards_and_no_name_says_the_same_of_two():
    before = names(PHOTOS)
    assert len(set(before)) == len(before)
    for at in (0, 700, 2000):
        after = names([*PHOTOS[:at], Found(f"/photos/{at:05}-new.jpg", 1, "1"), *PHOTOS[at:]])
        assert len(set(after) - set(before)) <= 2


def test_a_changed_photo_changes_its_shard_alone():
    changed = [*PHOTOS[:700], PHOTOS[700]._replace(mark="2"), *PHOTOS[701:]]
    assert len(set(names(changed)) - set(names(PHOTOS))) == 1
