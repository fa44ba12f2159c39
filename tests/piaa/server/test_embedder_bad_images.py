"""Every bad photo of tests/bad_input over HTTP: said for the image, and the others are scored."""

from __future__ import annotations

import io
import json
import struct
import zlib

import pytest
from PIL import Image

INTACT = "replace it by an intact copy or leave it out"


def png(width: int, height: int) -> bytes:
    """A PNG that promises many pixels in a few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, data) for kind, data in chunks)


def photo(kind: str = "JPEG", size: tuple[int, int] = (60, 40)) -> bytes:
    out = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert("RGB").save(out, kind)
    return out.getvalue()


FORMATS = "expected AVIF, BMP, GIF, HEIC, JPEG, PNG, raw, TIFF or WebP"
BAD = {
    "empty": (b"", f"x.jpg is empty (0 bytes); {INTACT}"),
    "text": (b"not a photo", f"x.jpg is not an image: it begins with b'not a photo', {FORMATS}"),
    "html": (
        b"<html><body>404</body></html>",
        f"x.jpg is not an image: it begins with b'<html><body>', {FORMATS}",
    ),
    "truncated JPEG": (photo()[:300], "x.jpg is damaged or incomplete ("),
    "half a JPEG that ends as it should": (
        photo(size=(600, 400))[:1500] + b"\xff\xd9",
        f"x.jpg is damaged or incomplete (Corrupt JPEG data: premature end of data segment); {INTACT}",
    ),
    "JPEG of many scans": (
        photo().replace(b"\xff\xda", b"\xff\xda\0\x08\1\1\0\0\x3f\0" * 200 + b"\xff\xda"),
        "x.jpg has more than 100 scans, the limit for 60 x 40 pixels, and would take long to decode; save it "
        "again as an ordinary JPEG or leave it out",
    ),
    "truncated PNG": (photo("PNG")[:80], "x.jpg is damaged or incomplete ("),
    "JPEG of two bytes": (b"\xff\xd8", "x.jpg is"),
    "decompression bomb": (
        png(50_000, 50_000),
        "x.jpg has 50000 x 50000 = 2500000000 pixels, the limit is 50000000; "
        "allow it with --max-pixels 2500000000 or make it smaller",
    ),
    "no pixels": (png(0, 10), "x.jpg is"),
    "damaged PNG": (photo("PNG").replace(b"IDAT", b"IDAX"), "x.jpg is damaged"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_image_is_reported_and_the_others_are_scored(server, what):
    content, message = BAD[what]
    good = photo(size=(50 + len(what), 40))
    options = {"data": {"user": "nobody"}, "params": {"fallback": "generic"}}
    files = [("image", ("x.jpg", content)), ("image", ("good.jpg", good))]
    answer = server.http.post("/v1/score", files=files, **options)
    assert answer.status_code == 200
    problem, none = (image["problem"] for image in answer.json()["images"])
    assert problem.startswith(message)
    assert "\n" not in problem
    assert none is None
    first, second = answer.json()["users"][0]["scores"]
    assert first is None
    assert 1 <= second <= 7
    alone = server.http.post("/v1/score", files=files[:1], **options)
    assert (alone.status_code, alone.headers["content-type"]) == (422, "application/problem+json")
    assert alone.json()["detail"] == f"not even the one image can be scored: {problem}"
    ratings = json.dumps([{"image": "x.jpg", "score": 3}, {"image": "good.jpg", "score": 3}])
    rated = server.http.post("/v1/users/nobody/ratings", data={"ratings": ratings}, files=files)
    assert rated.status_code == 422
    assert rated.json()["detail"] == f"1 of 2 images cannot be used, nothing was stored: {problem}"
    assert server.http.get("/v1/users/nobody").status_code == 404


def test_each_is_told_of_a_bad_file_by_the_name_that_was_sent(server):
    files = [("image", (name, photo(size=(61, 41))[:300])) for name in ("a.jpg", "b.jpg")]
    files.append(("image", ("good.jpg", photo(size=(62, 41)))))
    options = {"data": {"user": "nobody"}, "params": {"fallback": "generic"}}
    images = server.http.post("/v1/score", files=files, **options).json()["images"]
    named = [(image["image"], (image["problem"] or "").partition(" is ")[0]) for image in images]
    assert named == [("a.jpg", "a.jpg"), ("b.jpg", "b.jpg"), ("good.jpg", "")]
