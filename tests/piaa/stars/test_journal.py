"""Journals hold what takes every change back, and what came from elsewhere is not believed."""

from __future__ import annotations

import json
import os

import pytest

from generic.errors import StarsError
from piaa.stars.journal import Journal, change_of, digest, journals_of, read_journal, write_journal


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b""),
        (b"abc", b"abc"),
        (b"aaa", b"aaaa"),
        (b"aaaa", b"aaa"),
        (b"abcabc", b"abcXabc"),
        (b"x", b""),
        (b"one two three", b"one 2 three 4"),
        (None, b"new"),
    ],
)
def test_every_change_can_be_undone(before, after):
    change = change_of("a.xmp", before, after)
    assert change.undone(after) == (before or b"")
    assert (change.before, change.after) == (None if before is None else digest(before), digest(after))


def test_what_was_written_is_read_and_later_ones_count_on(tmp_path):
    name = os.fsdecode(b"b\xff\n.xmp")
    journal = Journal(user="Ána", changes=(change_of("a/b.xmp", None, b"1"), change_of(name, b"1", b"2")))
    paths = [write_journal(tmp_path, journal) for _ in range(11)]
    assert [path.name for path in journals_of(tmp_path)] == [f".piaa-xmp-{n}.json" for n in range(1, 12)]
    assert journals_of(tmp_path) == paths
    assert read_journal(paths[-1]) == journal


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"file": "../a.xmp"}, "'../a.xmp' leads out of the folder"),
        ({"file": "/etc/a.xmp"}, "'/etc/a.xmp' leads out of the folder"),
        ({"file": "a\0.xmp"}, "'a\\x00.xmp' leads out of the folder"),
        ({"file": "a.jpg"}, "'a.jpg' is no sidecar"),
        ({"start": -1}, "the values of 'a.xmp'"),
        ({"inserted": "many"}, "the values of 'a.xmp'"),
        ({"removed": "%%"}, "Only base64 data is allowed"),
    ],
)
def test_a_journal_of_somebody_else_is_not_believed(tmp_path, values, reason):
    path = write_journal(tmp_path, Journal(user="ana", changes=(change_of("a.xmp", b"1", b"2"),)))
    content = json.loads(path.read_bytes())
    content["changes"][0] |= values
    path.write_text(json.dumps(content))
    with pytest.raises(StarsError) as caught:
        read_journal(path)
    assert str(caught.value) == (
        f"the journal {path} cannot be used: {reason}; take it away if it is not yours (nothing was changed)"
    )


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"[" * 100_000, b'{"format": "other", "version": 1}'])
def test_what_is_no_journal_is_one_line(tmp_path, content):
    path = tmp_path / ".piaa-xmp-1.json"
    path.write_bytes(content)
    with pytest.raises(
        StarsError, match=r"^the journal .* cannot be used: .*; take it away if it is not yours"
    ):
        read_journal(path)
