"""Marks go in and out; every other byte stays, and other programs read them."""

from __future__ import annotations

import difflib

import pytest

from piaa.stars.names import LABEL, PIAA, RATING, STAR, SUBJECT
from piaa.stars.packet import RDF, parse
from piaa.stars.splice import NEW, Marks, star_is_ours, with_marks, without_marks

MARKS = Marks(scores={"User": "Ána <&\"'", "Score": "4.21"}, star=4, label="Blue", keyword="best & more")
HEAD = f'<r:RDF xmlns:r="{RDF}" xmlns:x="http://ns.adobe.com/xap/1.0/">'


def kept(before: bytes, after: bytes) -> bool:
    """Whether all bytes of before stand in after, in their order, but for a star that was 0."""
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    return {code for code, *_ in matcher.get_opcodes()} <= {"equal", "insert"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_what_goes_in_comes_out_byte_for_byte(sidecar, program, encoding):
    if program == "a mark and CRLF" and encoding != "utf-8":
        pytest.skip("it has a mark of its own")
    raw = sidecar(program, 3, encoding)
    marked = with_marks(raw, MARKS, "a.xmp")
    assert marked != raw
    assert kept(raw, marked)
    assert without_marks(marked, "a.xmp") == raw


def test_a_star_that_is_there_stays(sidecar, program):
    packet = parse(with_marks(sidecar(program, 2), MARKS, "a.xmp"), "a.xmp")
    assert [one.value for one in packet.find(RATING)] == ["2"]
    assert packet.value(STAR) is None


def test_a_rejected_photo_gets_no_star(sidecar, program):
    packet = parse(with_marks(sidecar(program, -1), MARKS, "a.xmp"), "a.xmp")
    assert [one.value for one in packet.find(RATING)] == ["-1"]


def test_a_zero_becomes_our_star_in_its_place_and_zero_again(sidecar, program):
    raw = sidecar(program, 0)
    marked = with_marks(raw, MARKS, "a.xmp")
    packet = parse(marked, "a.xmp")
    assert [one.value for one in packet.find(RATING)] == ["4"]
    assert star_is_ours(packet)
    assert without_marks(marked, "a.xmp") == raw


def test_exiftool_reads_what_we_write_and_all_that_was_there(sidecar, program, exiftool, tmp_path):
    path = tmp_path / "a.xmp"
    path.write_bytes(sidecar(program, 0))
    before = exiftool(path)
    path.write_bytes(with_marks(path.read_bytes(), MARKS, "a.xmp"))
    after = exiftool(path)
    assert after.pop("XMP-xmp:Rating") == 4
    before.pop("XMP-xmp:Rating")
    words = after.pop("XMP-dc:Subject")
    assert set([words] if isinstance(words, str) else words) >= {"best & more"}
    before.pop("XMP-dc:Subject", None)
    if program not in ("lightroom", "capture one", "a mark and CRLF"):
        assert after.pop("XMP-xmp:Label") == "Blue"
    ours = {key: value for key, value in after.items() if key not in before}
    assert ours.pop("XMP-piaa:User") == "Ána <&\"'"
    assert ours.pop("XMP-piaa:Score") == 4.21
    assert all(key.startswith("XMP-piaa:") for key in ours)
    assert {key: after[key] for key in before} == before


def test_a_new_sidecar_is_read_by_exiftool(exiftool, tmp_path):
    path = tmp_path / "a.xmp"
    path.write_bytes(with_marks(NEW, MARKS, "a.xmp"))
    read = exiftool(path)
    assert (read["XMP-xmp:Rating"], read["XMP-xmp:Label"], read["XMP-dc:Subject"]) == (
        4,
        "Blue",
        "best & more",
    )
    assert without_marks(path.read_bytes(), "a.xmp") == NEW


def test_exiftool_rewriting_a_sidecar_keeps_our_star_ours(sidecar, program, exiftool, tmp_path):
    path = tmp_path / "a.xmp"
    path.write_bytes(with_marks(sidecar(program, 0), MARKS, "a.xmp"))
    exiftool(path, "-XMP-dc:Title=A day")
    packet = parse(path.read_bytes(), "a.xmp")
    assert (packet.value(RATING), star_is_ours(packet)) == ("4", True)
    clean = parse(without_marks(path.read_bytes(), "a.xmp"), "a.xmp")
    assert not [one for some in clean.descriptions for one in some.fields if one.name[0] == PIAA]
    assert clean.value(RATING) in (None, "0")
    assert "best & more" not in clean.words(SUBJECT)

    exiftool(path, "-XMP-xmp:Rating=5")
    packet = parse(path.read_bytes(), "a.xmp")
    assert (packet.value(RATING), star_is_ours(packet)) == ("5", False)
    assert parse(without_marks(path.read_bytes(), "a.xmp"), "a.xmp").value(RATING) == "5"


def test_marks_are_replaced_by_later_ones(sidecar, program):
    raw = sidecar(program, 0)
    once = with_marks(raw, MARKS, "a.xmp")
    again = with_marks(once, Marks(scores={"Score": "2.00"}, star=2), "a.xmp")
    packet = parse(again, "a.xmp")
    assert ([one.value for one in packet.find(RATING)], packet.value((PIAA, "Score"))) == (["2"], "2.00")
    assert "best & more" not in packet.words(SUBJECT)
    assert packet.value(STAR) == "2 4"  # a program may have taken over the first
    assert parse(with_marks(again, MARKS, "a.xmp"), "a.xmp").value(STAR) == "4 2"
    assert with_marks(once, MARKS, "a.xmp") == once
    assert without_marks(again, "a.xmp") == raw


@pytest.mark.parametrize(
    "raw",
    [
        f"{HEAD}</r:RDF>",
        f'<r:RDF xmlns:r="{RDF}"/>',
        f'<RDF xmlns="{RDF}"><Description about=""/></RDF>',
        f"{HEAD}<r:Description r:about='uuid:&quot;1'/></r:RDF>",
        f"{HEAD}<r:Description><x:Rating/></r:Description></r:RDF>",
        f'{HEAD}<r:Description xmlns:piaa="urn:other" piaa:Star="1"/></r:RDF>',
        f'{HEAD}<r:Description><s:subject xmlns:s="{SUBJECT[0]}"><r:Bag/></s:subject></r:Description>'
        "</r:RDF>",
    ],
)
def test_odd_packets_take_marks_too(raw):
    marked = with_marks(raw.encode(), MARKS, "a.xmp")
    packet = parse(marked, "a.xmp")
    assert (packet.value(RATING), packet.value(LABEL), packet.words(SUBJECT)) == (
        "4",
        "Blue",
        ["best & more"],
    )
    clean = parse(without_marks(marked, "a.xmp"), "a.xmp")
    assert (clean.value(RATING) or "0", clean.words(SUBJECT)) == ("0", [])


def test_a_label_that_was_changed_and_a_keyword_of_hers_stay():
    raw = with_marks(NEW, Marks(label="Blue"), "a.xmp").replace(b'xmp:Label="Blue"', b'xmp:Label="Red"')
    assert parse(without_marks(raw, "a.xmp"), "a.xmp").value(LABEL) == "Red"
    hers = with_marks(NEW, Marks(keyword="best"), "a.xmp")
    hers = hers.replace(b'piaa:Keyword="best"', b'piaa:Score="1"')
    assert parse(without_marks(hers, "a.xmp"), "a.xmp").words(SUBJECT) == ["best"]
    assert with_marks(hers, Marks(keyword="best"), "a.xmp").count(b">best<") == 1
