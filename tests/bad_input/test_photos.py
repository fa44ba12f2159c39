"""Rows of docs/bad-input.md on fitting and scoring: what the person did wrong, what is printed."""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from generic.model.checkpoint import load_checkpoint, save_checkpoint
from piaa.adapters.prior import PREFIX


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises many pixels in a few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, data) for kind, data in chunks)


# ---- what the person does, by the row's first cell ----

SCENARIOS: dict[str, Callable] = {}


def scenario(what: str):
    def add(function: Callable) -> Callable:
        SCENARIOS[what] = function
        return function

    return add


@scenario("Ratings: a column is missing")
def _(place):
    return place.rate("photo,note\nphoto-01.jpg,nice\n")


@scenario("Ratings: a score is text")
def _(place):
    return place.rate(place.good + "photo-05.jpg,good\n")


@scenario("Ratings: a score outside the scale")
def _(place):
    return place.rate(place.good + "photo-05.jpg,7\n")


@scenario("Ratings: a score is NaN")
def _(place):
    return place.rate(place.good + "photo-05.jpg,NaN\n")


@scenario("Ratings: a score is empty")
def _(place):
    return place.rate(place.good + "photo-05.jpg,\n")


@scenario("Ratings: a photo is rated twice")
def _(place):
    return place.rate(place.good + "photo-01.jpg,2\n")


@scenario("Ratings: the file is missing")
def _(place):
    return place.fit("--ratings", "rating.csv")


@scenario("Ratings: no rows")
def _(place):
    return place.rate("image,score\n")


@scenario("Ratings: no such user in the table")
def _(place):
    return place.rate("user,image,score\nanna,photo-01.jpg,5\nben,photo-02.jpg,1\n")


@scenario("Scale: the ends are the wrong way round")
def _(place):
    return place.fit("--scale", "5", "1")


@scenario("Adapter: unknown")
def _(place):
    return place.fit("--adapter", "bayesian")


@scenario("One rating")
def _(place):
    return place.rate("image,score\nphoto-01.jpg,5\n")


@scenario("Two ratings")
def _(place):
    return place.rate("image,score\nphoto-01.jpg,5\nphoto-02.jpg,1\n")


@scenario("All ratings equal")
def _(place):
    return place.rate("image,score\nphoto-01.jpg,4\nphoto-02.jpg,4\nphoto-03.jpg,4\n")


@scenario("Rated photos: some are missing")
def _(place):
    return place.rate(place.good + "photo-99.jpg,2\n")


@scenario("Rated photos: all are missing")
def _(place):
    return place.rate("image,score\nphoto-98.jpg,5\nphoto-99.jpg,1\n")


@scenario("Rated photos: the folder is missing")
def _(place):
    return place.fit("--images", "foto")


@scenario("Folder to score: empty")
def _(place):
    (place.folder / "none").mkdir()
    return place.fitted().score(photos="none")


@scenario("Folder to score: missing")
def _(place):
    return place.fitted().score(photos="foto")


@scenario("Folder to score: no permission to read it")
def _(place):
    place.fitted().score()  # everything is imported while that is still permitted
    (place.folder / "photos").chmod(0o000)
    with place.ordinary_user():
        result = place.score("--no-cache")
    (place.folder / "photos").chmod(0o755)
    return result


@scenario("Photo: a truncated JPEG")
def _(place):
    return place.photo((place.folder / "photos" / "photo-01.jpg").read_bytes()[:900])


@scenario("Photo: a text file named .jpg")
def _(place):
    return place.photo(b"not a photo")


@scenario("Photo: an empty file")
def _(place):
    return place.photo(b"")


@scenario("Photo: a PNG of 50,000 x 50,000 pixels")
def _(place):
    return place.photo(png_header(50_000, 50_000))


@scenario("Photo: not one can be read")
def _(place):
    (place.folder / "bad").mkdir()
    (place.folder / "bad" / "extra.jpg").write_bytes(b"")
    return place.fitted().score(photos="bad")


@scenario("User: unknown")
def _(place):
    return place.fitted().score(user="anna")


@scenario("User: nobody was fitted yet")
def _(place):
    return place.score()


@scenario("User: fitted on another model")
def _(place):
    header, tensors = load_checkpoint(place.model)
    # Without a network it is enough of a model to be another one.
    few = {name: tensor for name, tensor in tensors.items() if name.startswith(PREFIX)}
    other = place.folder / "other.safetensors"
    save_checkpoint(other, header, few)
    return place.fitted().score(model="other.safetensors")


@scenario("Model: unknown")
def _(place):
    return place.score(model="piaa-huge")


@scenario("Model: not a model file")
def _(place):
    (place.folder / "notes.safetensors").write_text("not a model, though long enough to look like one")
    return place.fit(model="notes.safetensors")


@scenario("Model: the file is damaged")
def _(place):
    content = bytearray(place.model.read_bytes())
    content[-5_000_000] ^= 255
    (place.folder / "damaged.safetensors").write_bytes(content)
    return place.fit("--no-cache", model="damaged.safetensors")


@scenario("Store: not a database")
def _(place):
    return place.fit("--store", "ratings.csv")


@scenario("Store: its folder is read-only")
def _(place):
    (place.folder / "locked").mkdir()
    place.fitted()
    (place.folder / "locked").chmod(0o555)
    with place.ordinary_user():
        return place.fit("--no-cache", "--store", "locked/piaa.db")


@scenario("Store: the disk is full")
def _(place):
    place.fitted()
    with place.full_disk("piaa.db") as disk:
        store = disk / "piaa.db"
        before = store.read_bytes()
        result = place.fit("--store", "disk/piaa.db")
        assert store.read_bytes() == before
        # It can still be read, full as the disk is.
        listed = json.loads(place.run("users", "list", "--json", "--store", store).stdout)
        assert [row["user"] for row in listed] == ["ana"]
        return result


@scenario("Output: unknown suffix")
def _(place):
    return place.fitted().score("--out", "scores.xlsx")


@scenario("Output: the folder is missing")
def _(place):
    return place.fitted().score("--out", "tables/scores.csv")


@scenario("Output: the folder is read-only")
def _(place):
    (place.folder / "locked").mkdir()
    place.fitted().score()
    (place.folder / "locked").chmod(0o555)
    with place.ordinary_user():
        result = place.score("--no-cache", "--out", "locked/scores.csv")
    assert list((place.folder / "locked").iterdir()) == []
    return result


@scenario("Output: the disk is full")
def _(place):
    (place.folder / "scores.csv").write_text("the table of yesterday\n")
    with place.full_disk("scores.csv") as disk:
        result = place.fitted().score("--out", "disk/scores.csv")
        assert (disk / "scores.csv").read_text() == "the table of yesterday\n"
        parquet = place.score("--out", "disk/scores.parquet")
        assert parquet.stderr == result.stderr.replace(".csv", ".parquet")
        assert sorted(path.name for path in disk.iterdir()) == ["filler", "scores.csv"]
        return result


@scenario("Cache: the disk is full")
def _(place):
    place.fitted()
    expected = place.score().stdout
    with place.full_disk():
        result = place.score("--cache", "disk")
    assert result.stdout == expected
    return result


@scenario("Cache: its folder is read-only")
def _(place):
    (place.folder / "locked").mkdir()
    place.fitted()
    expected = place.score("--no-cache").stdout
    (place.folder / "locked").chmod(0o555)
    with place.ordinary_user():
        result = place.score("--cache", "locked/cache")
    assert result.stdout == expected
    return result


@pytest.mark.parametrize("what", SCENARIOS)
def test_row(what, place, as_documented):
    as_documented(what, SCENARIOS[what](place))


def test_every_row_has_its_scenario_and_every_scenario_its_row(bad_input_rows):
    here = Path(__file__)
    files = [here, *sorted(here.parent.glob(f"{here.stem}_*.py"))]
    written = [re.findall(r'^@scenario\("(.+)"\)$', path.read_text("utf-8"), re.MULTILINE) for path in files]
    assert written[0] == list(SCENARIOS)
    order = [row.what for row in bad_input_rows]
    assert sorted(what for names in written for what in names) == sorted(order)
    # Each file keeps the order of the table.
    assert all(names == sorted(names, key=order.index) for names in written)
