"""XMP as programs write it, and as nobody should."""

from __future__ import annotations

import pytest

from generic.errors import StarsError
from piaa.stars.names import LABEL, PICK_LABEL, RATING, SUBJECT
from piaa.stars.packet import MOST_BYTES, RDF, parse

HEAD = f'<r:RDF xmlns:r="{RDF}" xmlns:x="http://ns.adobe.com/xap/1.0/">'
URGENCY = ("http://ns.adobe.com/photoshop/1.0/", "Urgency")


def of(inside: str):
    return parse(f"{HEAD}{inside}</r:RDF>".encode(), "a.xmp")


def test_what_each_program_writes_is_read(sidecar, program):
    packet = parse(sidecar(program, 4), "a.xmp")
    assert packet.value(RATING) == "4"
    expected = {"lightroom": "Red", "capture one": "Green", "a mark and CRLF": "Green"}
    assert packet.value(LABEL) == expected.get(program)
    assert packet.value(PICK_LABEL) == ("3" if program == "digikam" else None)
    assert packet.words(SUBJECT) == (["sea", "Größe & Licht"] if program == "lightroom" else [])
    assert packet.value(URGENCY) == ("2" if program in ("capture one", "a mark and CRLF") else None)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_every_encoding_is_read_and_goes_back_byte_for_byte(sidecar, program, encoding):
    if program == "a mark and CRLF":
        pytest.skip("it has a mark of its own")
    raw = sidecar(program, 3, encoding)
    packet = parse(raw, "a.xmp")
    assert packet.value(RATING) == "3"
    assert packet.form.encode(packet.text) == raw


def test_places_are_those_of_the_bytes(sidecar, program):
    packet = parse(sidecar(program, 5), "a.xmp")
    (rating,) = packet.find(RATING)
    assert packet.text[slice(*rating.inside)] == b"5"
    whole = packet.text[slice(*rating.span)]
    assert whole.strip() in (b'xmp:Rating="5"', b"xmp:Rating='5'", b"<xmp:Rating>5</xmp:Rating>")
    for description in packet.descriptions:
        element = description.element
        assert packet.text[element.tag.span[0] :].startswith(b"<rdf:Description")
        assert packet.text[: element.end].endswith(b"</rdf:Description>")
    assert packet.text[slice(*packet.rdf.inside)].strip().startswith(b"<rdf:Description")


def test_namespaces_count_and_not_their_prefixes():
    other = '<r:Description xmlns:xmp="urn:other" xmp:Rating="1" x:Rating="2"/>'
    assert of(other).value(RATING) == "2"
    default = '<Description xmlns="http://www.w3.org/1999/02/22-rdf-syntax-ns#" x:Rating="3"/>'
    assert of(default).value(RATING) == "3"
    element = '<r:Description><Rating xmlns="http://ns.adobe.com/xap/1.0/"> 4 </Rating></r:Description>'
    assert of(element).value(RATING) == " 4 "


def test_empty_elements_end_where_their_only_tag_ends():
    packet = of('<r:Description><x:Rating/></r:Description><r:Description x:Label=" > "/>')
    (rating,), (label,) = packet.find(RATING), packet.find(LABEL)
    assert packet.text[slice(*rating.span)] == b"<x:Rating/>"
    assert (rating.value, label.value) == ("", " > ")
    second = packet.descriptions[1].element
    assert packet.text[second.tag.span[0] : second.end] == b'<r:Description x:Label=" > "/>'


def test_what_is_more_than_text_has_no_value():
    packet = of(
        '<r:Description><x:Rating r:parseType="Resource"><r:value>4</r:value></x:Rating></r:Description>'
    )
    assert (packet.value(RATING), len(packet.find(RATING))) == (None, 1)
    assert of("<r:Description><x:Rating><!-- 5 -->4</x:Rating></r:Description>").value(RATING) == "4"


def test_what_is_no_property_of_the_photo_is_passed_over():
    deep = '<r:Description><x:More><r:Description x:Rating="5"/></x:More></r:Description>'
    assert of(deep).find(RATING) == []
    assert of('<x:Thing x:Rating="5"/>').find(RATING) == []


def test_zero_bytes_at_the_end_are_passed_over():
    assert (
        parse(f'{HEAD}<r:Description x:Rating="4"/></r:RDF>'.encode() + bytes(40), "a").value(RATING) == "4"
    )


BOMB = """<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>"""
MANY = " ".join(f"x:a{number}=''" for number in range(10_000))
CURE = "; let the program that wrote it write it again, or take it away (it is unchanged)"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (f"{BOMB}{HEAD}&b;</r:RDF>".encode(), "it has a DOCTYPE, which XMP has not"),
        (b'<!DOCTYPE r SYSTEM "file:///etc/passwd"><r/>', "it has a DOCTYPE, which XMP has not"),
        (b" " * (MOST_BYTES + 1), f"it has {MOST_BYTES + 1} bytes, but at most {MOST_BYTES} are read"),
        (f"{HEAD}{'<a>' * 200_000}".encode(), "its elements are nested more than 100 deep"),
        (
            f"{HEAD}</r:RDF>{HEAD}</r:RDF>".encode(),
            f"junk after document element: line 1, column {len(HEAD) + 8}",
        ),
        (
            f"{HEAD}<r:Description {MANY}/></r:RDF>".encode(),
            "it has more properties than any program writes",
        ),
        (
            f"{HEAD}{'<r:Description/>' * 10_001}</r:RDF>".encode(),
            "it has more properties than any program writes",
        ),
        (f"{HEAD}{'<a/>' * 500_000}</r:RDF>".encode(), "it has more elements than any program writes"),
        (b"", "no element found: line 1, column 0"),
        (b"<a/>", "there is no rdf:RDF in it"),
        (f"<a>{HEAD}</r:RDF></a>".encode(), "there is no rdf:RDF in it"),
        (
            f'<m:xmpmeta xmlns:m="adobe:ns:meta/">{HEAD}</r:RDF>{HEAD}</r:RDF></m:xmpmeta>'.encode(),
            "it has more than one rdf:RDF",
        ),
        (f"{HEAD}&auml;</r:RDF>".encode(), f"undefined entity: line 1, column {len(HEAD)}"),
        (f"{HEAD}</r:RDF>".encode("utf-32"), "it is in UTF-32"),
        (b'<?xml version="1.0" encoding="EBCDIC"?><a/>', "it is in 'ebcdic', not in UTF-8 or UTF-16"),
        (
            b"<a>\xff</a>",
            "it is not in utf-8: 'utf-8' codec can't decode byte 0xff in position 3: invalid start byte",
        ),
    ],
)
def test_what_is_no_packet_is_one_line(raw, reason):
    with pytest.raises(StarsError) as caught:
        parse(raw, "photos/a.xmp")
    assert str(caught.value) == f"photos/a.xmp cannot be read as XMP: {reason}{CURE}"
