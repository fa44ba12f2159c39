"""The digest of what a version was learned from."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from piaa.store.learned_from import learned_from

NUMBERS = st.floats(-10, 10)
RATINGS = st.lists(st.tuples(st.sampled_from("abcd"), NUMBERS, NUMBERS, NUMBERS), max_size=4)
COMPARISONS = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd"), st.sampled_from(["a", "b", "equal"])),
    max_size=4,
)


@given(RATINGS, COMPARISONS, st.randoms())
def test_the_order_makes_no_difference(ratings, comparisons, draw):
    shuffled = draw.sample(ratings, len(ratings)), draw.sample(comparisons, len(comparisons))
    assert learned_from(*shuffled) == learned_from(ratings, comparisons)


@given(RATINGS, COMPARISONS, RATINGS, COMPARISONS)
def test_everything_else_does(ratings, comparisons, other_ratings, other_comparisons):
    def key(rated, compared):
        return sorted(map(repr, rated)), sorted(compared)

    same = key(ratings, comparisons) == key(other_ratings, other_comparisons)
    assert (learned_from(ratings, comparisons) == learned_from(other_ratings, other_comparisons)) == same


def test_what_counts_now_is_told_from_what_a_version_knew(store, sayings):
    """By the vectors, not by the names; saying the same again changes nothing."""
    store.say("ana", sayings.rated({1: 3, 2: 4}))
    first = store.said("ana", sayings.MODEL).digest
    store.say("ana", sayings.rated({}, ratings=[(sayings.photo(2, image="copy.jpg"), 4)]))
    store.say("ana", sayings.rated({1: 3}))
    assert store.said("ana", sayings.MODEL).digest == first
    store.say("ana", sayings.rated({1: 4}))
    assert store.said("ana", sayings.MODEL).digest != first
    assert store.said("ana", sayings.OTHER_MODEL).digest != store.said("ana", sayings.MODEL).digest
