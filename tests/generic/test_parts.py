"""What a model file says its vectors are made of."""

from __future__ import annotations

import pytest

from generic.errors import CheckpointError
from generic.parts import Parts


def test_parts_follow_one_another():
    parts = Parts.declared({"parts": {"ava": 1, "directions": 3, "richer": 4}}, 8)
    places = {name: parts.place(name) for name in ("generic", "ava", "directions", "richer")}
    assert places == {
        "generic": slice(0, 1),
        "ava": slice(1, 2),
        "directions": slice(2, 5),
        "richer": slice(5, 9),
    }
    assert parts.small == 5


def test_without_a_declaration_all_is_directions():
    parts = Parts.declared({"kind": "eat_lite"}, 8)
    assert (parts.place("directions"), parts.place("richer"), parts.small) == (slice(1, 9), slice(0, 0), 9)


@pytest.mark.parametrize(
    "given", [{"directions": 7}, {"richer": 4, "directions": 4}, {"taste": 8}, {"ava": 0, "directions": 8}]
)
def test_another_declaration_is_refused(given):
    with pytest.raises(CheckpointError) as caught:
        Parts.declared({"parts": given}, 8)
    assert str(caught.value) == (
        f"the model file declares vectors of the parts {given}, expected 8 numbers in parts of the names "
        "ava, directions, richer, in this order; train or build the model again"
    )
