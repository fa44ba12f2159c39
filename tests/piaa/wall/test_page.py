"""The page as a browser takes it apart, without a browser: nothing from outside, every name as text."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest

from piaa.wall.page import GENERATOR, address, page
from piaa.wall.thumbnails import Pictures
from piaa.wall.tile import Tile, Wall

FILES = Pictures(small="thumbnails/aa.jpg", size=(400, 300), large=None)
NAMES = (
    "桜の花 été.jpg",
    '"><img src=x onerror=alert(1)>.jpg',
    "</script><script>alert(1)</script>.jpg",
    "a & b.jpg",
)


class Read(HTMLParser):
    """Tags with their attributes, and the text inside each tag of a class."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.said, self.inside = [], {}, []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in ("bdi", "span", "h1", "title", "style", "script", "label"):
            self.inside.append(dict(attrs).get("class") or tag)
            self.said.setdefault(self.inside[-1], []).append("")

    def handle_endtag(self, tag):
        if tag in ("bdi", "span", "h1", "title", "style", "script", "label"):
            self.inside.pop()

    def handle_data(self, data):
        for name in self.inside:
            self.said[name][-1] += data

    def of(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def tile(name="a.jpg", **more):
    values = {"score": 3.5, "low": 2.5, "high": 4.5, "crowd": 1} | more
    return Tile(path=Path("/photos") / name.replace("/", "_"), identity="a" * 64, name=name, **values)


def read(*tiles, files=FILES, **more):
    wall = Wall(tiles=tiles, **{"title": "Ranked for ana", "user": "ana", **more})
    return Read(page(wall, [files] * len(tiles), Path("/walls/one")))


def test_every_name_is_seen_as_it_is_and_runs_nothing():
    got = read(*(tile(name) for name in NAMES))
    assert got.said["name"] == list(NAMES)
    assert [one.get("src") for one in got.of("img")] == ["thumbnails/aa.jpg"] * 4 + [None]
    # A link has a name for those who hear the page.
    assert [one["alt"] for one in got.of("img")] == [*NAMES, ""]
    assert len(got.of("script")) == 1
    assert not any(key.startswith("on") for _, attrs in got.tags for key in attrs)


def test_a_name_that_would_deceive_is_written_out():
    got = read(tile("two\nlines.jpg"), tile("photo\u202egpj.exe"))
    assert got.said["name"] == [r"'two\nlines.jpg'", r"'photo\u202egpj.exe'"]


def test_user_and_reasons_are_escaped():
    got = read(tile(), user="<b>", title="Ranked for <b>", skipped={"<i>.jpg": "is <u>broken</u>"})
    assert got.said["title"] == got.said["h1"] == ["Ranked for <b>"]
    assert not {"b", "i", "u"} & {tag for tag, _ in got.tags}
    assert got.said["bdi"] == ["<i>.jpg"]


def test_nothing_is_fetched_from_outside():
    text = page(Wall(title="t", tiles=[tile()], user="ana"), [FILES], Path("/walls/one"))
    assert not re.search(r"https?:|//[a-z]|@import|url\(", text)
    got = Read(text)
    policy = next(one for one in got.of("meta") if one.get("http-equiv") == "Content-Security-Policy")
    for part, kind in (("style-src", "style"), ("script-src", "script")):
        digest = base64.b64encode(hashlib.sha256(got.said[kind][0].encode()).digest()).decode()
        assert f"{part} 'sha256-{digest}'" in policy["content"]
    assert policy["content"].startswith("default-src 'none'; ")
    assert not any("style" in attrs for _, attrs in got.tags)
    assert GENERATOR in text[:4096]


@pytest.mark.parametrize(
    ("crowd", "words", "way"), [(67, "up 66", "up"), (1, "same place", "same"), (2001, "up 2,000", "up")]
)
def test_what_moved_is_told(crowd, words, way):
    got = read(tile(crowd=crowd))
    assert got.said[f"moved {way}"] == [words]
    assert got.said["crowd"] == [f"crowd {crowd:,}"]


@pytest.mark.parametrize(("sure", "words"), [(None, ""), (0.93, ", 93 % sure"), (0.79, ", unsure")])
def test_how_far_a_score_may_be_trusted_is_told(sure, words):
    (score,) = [one for one in read(tile(sure=sure)).of("span") if one.get("class") == "score"]
    assert score["title"] == f"80 % interval 2.50 to 4.50{words}"


def test_what_fell_is_told_too():
    assert read(tile(crowd=5), tile(crowd=1)).said["moved down"] == ["down 1"]


def test_her_own_stars_are_marked():
    got = read(tile(own=4.0), tile(own=2.5), tile())
    assert got.said["own"] == ["★★★★☆", "ana gave 2.5"]
    assert [one.get("data-own") for one in got.of("figure")] == ["4.0000", "2.5000", None]
    assert {"name": "rated"} in got.of("select")
    assert read(tile(own=7), scale=(1, 10)).said["own"] == ["ana gave 7"]
    assert read(tile()).of("select") == []


def test_the_crowds_wall_has_one_order():
    got = read(tile(crowd=None, low=None, high=None), user=None)
    assert not any(one.get("name") == "view" for one in got.of("input"))
    assert "crowd" not in got.said
    assert [one["name"] for one in got.of("input")] == ["least", "most", "text"]


def test_photos_to_be_rated_have_a_place_alone():
    got = read(tile(crowd=None, score=None, low=None, high=None), user=None)
    assert got.of("form") == []
    assert (got.said["place"], got.said["name"]) == (["1"], ["a.jpg"])


def test_what_cannot_be_read_is_said_in_its_place():
    got = read(tile(), files=Pictures(small=None, size=(400, 300), large=None))
    assert got.said["unreadable"] == ["cannot be read"]


@pytest.mark.parametrize("name", ["a b.jpg", "100%#1?.jpg", "写真/é.jpg", "c:d.jpg", "latin-\udcfc.jpg"])
def test_a_link_finds_its_photo_relative_to_the_page(name):
    link = address(Path("/photos") / name, FILES, Path("/walls/one"))
    assert re.fullmatch(r"[A-Za-z0-9_.~/%-]+", link)
    assert unquote_to_bytes(link).decode(errors="surrogateescape") == f"../../photos/{name}"


def test_what_no_browser_shows_is_shown_as_jpeg():
    files = Pictures(small="thumbnails/aa.jpg", size=(400, 300), large="large/aa.jpg")
    assert read(tile(), files=files).of("a")[0] == {"href": "large/aa.jpg"}
