"""Every row of docs/bad-input.md: what the person did wrong, what is printed, the exit code."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import struct
import subprocess
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from generic.checkpoint import load_checkpoint, read_header, save_checkpoint
from piaa.prior import PREFIX

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "bad-input.md"
NOBODY = 65534
GOOD = "image,score\nphoto-01.jpg,5\nphoto-02.jpg,1\nphoto-03.jpg,4\n"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the table."""

    what: str
    lines: tuple[str, ...]
    """What is printed; `…` stands for what differs between machines."""
    exit_code: int


def read_table() -> list[Row]:
    """The rows ``| what | `line`<br>`line` | exit code |``."""
    rows = []
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 3 and cells[2].isdigit():
            # A line that holds a backtick stands in two of them, with a space inside.
            spans = [re.fullmatch(r"(`+)( ?)(.*)\2\1", part.strip()) for part in cells[1].split("<br>")]
            rows.append(Row(what=cells[0], lines=tuple(span[3] for span in spans), exit_code=int(cells[2])))
    return rows


class Place:
    """A folder to work in, with the album as ``photos``, and the command line."""

    def __init__(self, folder: Path, run: Callable, tiny_model: Path) -> None:
        self.folder = folder
        self.run = run
        self.model = tiny_model

    def fit(self, *args, user: str = "ana", model: str = "model.safetensors"):
        """Fits from ratings.csv; what is left out of args is in order."""
        options = {"--user": user, "--ratings": "ratings.csv", "--images": "photos", "--model": model}
        return self.run("fit-user", *self._merge(options, args))

    def score(self, *args, photos: str = "photos", user: str = "ana", model: str = "model.safetensors"):
        return self.run("score", photos, *self._merge({"--user": user, "--model": model}, args))

    @staticmethod
    def _merge(options: dict[str, str], args: tuple) -> list:
        given = {option: value for option, value in options.items() if option not in args}
        return [*(word for pair in given.items() for word in pair), *args]

    def rate(self, text: str):
        """Fits from a table of this content."""
        (self.folder / "ratings.csv").write_text(text)
        return self.fit()

    def fitted(self) -> Place:
        """With ana in the store."""
        assert self.fit().exit_code == 0
        return self

    def photo(self, content: bytes):
        """Scores the album with one more file in it."""
        (self.folder / "photos" / "extra.jpg").write_bytes(content)
        return self.fitted().score("--out", "scores.csv")


@pytest.fixture
def place(piaa, album, tiny_model, warm_cache, monkeypatch):
    # Open to everybody: some rows need an ordinary user, whom pytest's own folders keep out.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        folder.chmod(0o777)
        shutil.copytree(album, folder / "photos")
        shutil.copytree(warm_cache, folder / "cache")
        os.link(tiny_model, folder / "model.safetensors")
        (folder / "ratings.csv").write_text(GOOD)
        monkeypatch.chdir(folder)
        monkeypatch.setenv("PIAA_STORE", str(folder / "piaa.db"))
        monkeypatch.setenv("PIAA_CACHE_DIR", str(folder / "cache"))
        yield Place(folder, piaa, tiny_model)


@contextlib.contextmanager
def ordinary_user():
    """Permission bits do not stop root, so root becomes nobody for the block."""
    if os.geteuid() != 0:
        yield
        return
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@contextlib.contextmanager
def full_disk(folder: Path, *contents: Path):
    """A small disk without a free byte, ``contents`` on it; for root with the right to mount."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if os.name != "posix" or os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    try:
        for path in contents:
            shutil.copy(path, folder)
        with contextlib.suppress(OSError), (folder / "filler").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


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
    return place.rate(GOOD + "photo-05.jpg,good\n")


@scenario("Ratings: a score outside the scale")
def _(place):
    return place.rate(GOOD + "photo-05.jpg,7\n")


@scenario("Ratings: a score is NaN")
def _(place):
    return place.rate(GOOD + "photo-05.jpg,NaN\n")


@scenario("Ratings: a score is empty")
def _(place):
    return place.rate(GOOD + "photo-05.jpg,\n")


@scenario("Ratings: a photo is rated twice")
def _(place):
    return place.rate(GOOD + "photo-01.jpg,2\n")


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
    return place.rate(GOOD + "photo-99.jpg,2\n")


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
    with ordinary_user():
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
    with ordinary_user():
        return place.fit("--no-cache", "--store", "locked/piaa.db")


@scenario("Store: the disk is full")
def _(place):
    place.fitted()
    with full_disk(place.folder / "disk", place.folder / "piaa.db") as disk:
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
    with ordinary_user():
        result = place.score("--no-cache", "--out", "locked/scores.csv")
    assert list((place.folder / "locked").iterdir()) == []
    return result


@scenario("Output: the disk is full")
def _(place):
    (place.folder / "scores.csv").write_text("the table of yesterday\n")
    with full_disk(place.folder / "disk", place.folder / "scores.csv") as disk:
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
    with full_disk(place.folder / "disk"):
        result = place.score("--cache", "disk")
    assert result.stdout == expected
    return result


@scenario("Cache: its folder is read-only")
def _(place):
    (place.folder / "locked").mkdir()
    place.fitted()
    expected = place.score("--no-cache").stdout
    (place.folder / "locked").chmod(0o555)
    with ordinary_user():
        result = place.score("--cache", "locked/cache")
    assert result.stdout == expected
    return result


ROWS = read_table()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.what)
def test_row(row, place):
    result = SCENARIOS[row.what](place)
    shown = result.stderr.splitlines()
    if result.exit_code == 0 and not shown:
        # Not an error: the remark stands among the results.
        shown = [line for line in result.stdout.splitlines() if line.startswith("expected ranking: ")]
    for model, name in ((place.model, "MODEL"), (place.folder / "other.safetensors", "OTHER")):
        if model.exists():
            shown = [line.replace(read_header(model).hash[:8], name) for line in shown]
    shown = [line.replace(str(place.folder), "FOLDER") for line in shown]
    pattern = "\n".join(re.escape(line).replace("…", ".+") for line in row.lines)
    assert re.fullmatch(pattern, "\n".join(shown)), "\n".join(shown)
    assert result.exit_code == row.exit_code
    if row.exit_code:
        assert (result.stdout, len(shown)) == ("", 1)


def test_the_table_and_the_scenarios_are_the_same():
    assert [row.what for row in ROWS] == list(SCENARIOS)
