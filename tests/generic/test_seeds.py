"""Named random streams: what a stream depends on, and what it must not depend on."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generic.seeds import stream

ROOT = Path(__file__).parents[2]
parts = st.tuples(
    st.integers(0, 3), st.lists(st.integers(-3, 3) | st.text("ab1-'\x1f", max_size=3), max_size=3)
)


def first(seed, *names):
    return stream(seed, *names).integers(2**63, size=4).tolist()


@given(parts, parts)
def test_two_streams_agree_exactly_if_their_names_do(one, other):
    same = first(one[0], *one[1]) == first(other[0], *other[1])
    assert same == ((one[0], one[1]) == (other[0], other[1]))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((0, 1), (0, "1")),
        ((0, "a", "b"), (0, "ab")),
        ((0, "a", "b"), (0, "b", "a")),
        ((0, "a"), (0, "a", "")),
        ((1, "a"), (0, "a")),
        ((0, 1, 2), (0, 12)),
        ((0, "a'\x1f'b"), (0, "a", "b")),
    ],
)
def test_names_that_look_alike_are_kept_apart(one, other):
    assert first(*one) != first(*other)


def test_a_stream_does_not_notice_what_was_drawn_elsewhere():
    alone = stream(0, "kshot", "ana").random(5).tolist()
    other = stream(0, "kshot", "bob")
    mine = stream(0, "kshot", "ana")
    mixed = []
    for _ in range(5):
        other.random(3)
        np.random.default_rng(0).random()
        mixed.append(mine.random())
    assert mixed == alone


def test_calling_again_starts_anew():
    used = stream(0, "a")
    used.random(100)
    assert stream(0, "a").random() != used.random()
    assert stream(0, "a").random() == stream(0, "a").random()


def test_names_from_an_array_or_a_frame_are_the_plain_names():
    assert first(np.int64(7), np.str_("ana"), np.int32(3)) == first(7, "ana", 3)


def test_golden_value():
    # From the definition: SHA-256 of the reprs joined by the unit separator, as one whole number.
    digest = hashlib.sha256(b"0\x1f'kshot'\x1f'ana'\x1f3").digest()
    sequence = np.random.SeedSequence(int.from_bytes(digest, "big"))
    expected = np.random.Generator(np.random.PCG64(sequence)).integers(1000, size=5).tolist()
    assert stream(0, "kshot", "ana", 3).integers(1000, size=5).tolist() == expected
    # Written down: figures of other versions and machines rest on it.
    assert expected == [455, 65, 267, 819, 986]


@pytest.mark.parametrize("hash_seed", ["0", "12345"])
def test_equal_in_every_process(hash_seed):
    draw = "stream(0, 'kshot', 'ana', 3).integers(2**63, size=4).tolist()"
    code = f"from generic.seeds import stream; print({draw})"
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout == f"{first(0, 'kshot', 'ana', 3)}\n"
