from __future__ import annotations

import pytest

from generic.photos.told import Told
from piaa.stars.marks import EMBEDDED, EXIF, EXIF_PERCENT, SIDECAR, Mark, mark_of, of_exif, of_packet
from piaa.stars.packet import RDF, parse

SPACES = {
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "MicrosoftPhoto": "http://ns.microsoft.com/photo/1.0/",
    "digiKam": "http://www.digikam.org/ns/1.0/",
    "photomechanic": "http://ns.camerabits.com/photomechanic/1.0/",
    "xmpDM": "http://ns.adobe.com/xmp/1.0/DynamicMedia/",
    "piaa": "urn:x-piaa:1.0/",
}


def mark(attributes: str) -> Mark:
    names = " ".join(f'xmlns:{prefix}="{address}"' for prefix, address in SPACES.items())
    raw = f'<rdf:RDF xmlns:rdf="{RDF}" {names}><rdf:Description {attributes}/></rdf:RDF>'
    return of_packet(parse(raw.encode(), "a.xmp"), SIDECAR)


@pytest.mark.parametrize(
    ("attributes", "stars", "flag"),
    [
        ('xmp:Rating="5"', 5, None),
        ('xmp:Rating=" 3.0 "', 3, None),
        ('xmp:Rating="0"', None, None),
        ('xmp:Rating=""', None, None),
        ('xmp:Rating="-1"', None, "reject"),
        ('MicrosoftPhoto:Rating="75"', 4, None),
        ('xmp:Rating="0" MicrosoftPhoto:Rating="99"', 5, None),
        ('xmp:Rating="2" MicrosoftPhoto:Rating="99"', 2, None),
        ('xmp:Rating="2" digiKam:PickLabel="3"', 2, "pick"),
        ('xmp:Rating="2" digiKam:PickLabel="1"', 2, "reject"),
        ('digiKam:PickLabel="2"', None, None),
        ('photomechanic:Tagged="True"', None, "pick"),
        ('xmpDM:pick="1"', None, "pick"),
        ('xmpDM:pick="-1"', None, "reject"),
        ("", None, None),
    ],
)
def test_stars_and_flags_of_packets(attributes, stars, flag):
    assert mark(attributes) == Mark(place=SIDECAR, stars=stars, flag=flag)


def test_a_packet_says_which_stars_piaa_wrote():
    assert mark('xmp:Rating="4" piaa:Star="4 2"').written == {2, 4}
    assert mark('piaa:Star="2"').says
    assert not mark('piaa:Score="2"').says


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("6", "sidecars rates it 6, which is none of -1 to 5"),
        ("3.5", "sidecars rates it 3.5, which is none of -1 to 5"),
        ("-2", "sidecars rates it -2, which is none of -1 to 5"),
        ("nan", "sidecars rates it nan, which is none of -1 to 5"),
        ("1e999", "sidecars rates it inf, which is none of -1 to 5"),
        ("good", "sidecars rates it 'good', which is no number"),
    ],
)
def test_what_is_no_rating_says_so(value, reason):
    with pytest.raises(ValueError, match=r"rates") as caught:
        mark(f'xmp:Rating="{value}"')
    assert str(caught.value) == reason


def test_stars_of_exif():
    assert of_exif(Told(rating=4, percent=25)) == [
        Mark(place=EXIF, stars=4),
        Mark(place=EXIF_PERCENT, stars=2),
    ]
    assert not any(one.says for one in of_exif(Told(rating=0, percent=0)))
    assert mark_of(EMBEDDED, None, "pick") == Mark(place=EMBEDDED, flag="pick")
    with pytest.raises(ValueError, match=r"^EXIF Rating rates it 65535, which is none of -1 to 5$"):
        of_exif(Told(rating=65535))
