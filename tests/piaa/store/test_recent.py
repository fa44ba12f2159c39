"""What is remembered within a number of bytes."""

from __future__ import annotations

from piaa.store.recent import Recent


def test_what_was_not_used_for_longest_goes():
    recent = Recent(3000)
    for key in ("a", "b"):
        recent.put(key, key.upper(), 500)
    assert recent.get_all(["a", "nothing"]) == {"a": "A"}
    recent.put(("c", 1), "C", 900)
    recent.put("d", "D", 300)
    # Each takes 500 bytes beside its own: b went for c, then a for d.
    assert recent.get_all(["a", "b", ("c", 1), "d"]) == {("c", 1): "C", "d": "D"}
    recent.drop(["d", "nothing"])
    assert recent.get("d") is None
