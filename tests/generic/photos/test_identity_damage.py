"""Identities of cut, damaged and hostile files: never an error, and bounded time and memory."""

from __future__ import annotations

import hashlib
import io
import re
import struct
import subprocess
import sys
import textwrap
import time
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generic.errors import ImageError
from generic.photos.identity import photo_identity
from generic.photos.open import open_rgb


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def riff(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def seen(content: bytes) -> bytes | None:
    """The pixels, with their size; None if there are none."""
    try:
        image = open_rgb(io.BytesIO(content))
    except ImageError:
        return None
    return repr(image.size).encode() + image.tobytes()


def test_every_truncation_has_an_identity_of_its_own_or_the_whole_picture(samples):
    for name, content in samples.items():
        step = max(1, len(content) // 150)
        for end in range(0, len(content), step):
            cut = content[:end]
            # What may be cut off is what follows the picture.
            assert photo_identity(cut) in (sha256(cut), photo_identity(content)), (name, end)
            if photo_identity(cut) == photo_identity(content):
                assert seen(cut) == seen(content), (name, end)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_hostile_bytes_never_raise(samples, data):
    content = bytearray(samples[data.draw(st.sampled_from(sorted(samples)))])
    for _ in range(data.draw(st.integers(1, 20))):
        at, word = data.draw(st.integers(0, len(content) - 1)), data.draw(st.binary(min_size=1, max_size=4))
        content[at : at + len(word)] = word
    assert re.fullmatch("[0-9a-f]{64}", photo_identity(bytes(content)))


def _loop() -> bytes:
    """Directories that follow each other in a circle."""
    one = struct.pack("<HHHLL", 1, 330, 4, 2, 8)
    return b"II*\0\x08\0\0\0" + one + struct.pack("<L", 8) + b"\x08\0\0\0" * 10


def _strips() -> bytes:
    """A million strips, each of which is the whole file."""
    n = 1_000_000
    tags = [(256, 3, 1, 9), (257, 3, 1, 9), (259, 3, 1, 5), (273, 4, n, 200), (279, 4, n, 200)]
    table = b"".join(struct.pack("<HHLL", *tag) for tag in tags)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", 5) + table + b"\0" * 124 + struct.pack("<L", 4000) * n


HOSTILE = {
    "segments": b"\xff\xd8" + b"\xff\xe1\0\x02" * 2_000_000,
    "fill": b"\xff\xd8" + b"\xff" * 8_000_000,
    "scan": b"\xff\xd8\xff\xc0\0\x0b\x08\0\x08\0\x08\x01\x01\x11\0\xff\xda\0\x02" + b"\xff\0" * 4_000_000,
    "chunks": b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", b"\0" * 13) + chunk(b"tEXt", b"") * 700_000,
    "riff": b"RIFF" + struct.pack("<I", 8_000_004) + b"WEBP" + riff(b"VP8 ", b"") * 1_000_000,
    "boxes": struct.pack(">I", 16) + b"ftypavif\0\0\0\0" + b"\0\0\0\x08free" * 1_000_000,
    "loop": _loop(),
    "strips": _strips(),
    "previews": b"FUJIFILMCCD-RAW "
    + b"\0" * 76
    + b"\xff\xd8\xff\xc0\0\x0b\x08\0\x08\0\x08\x01\x01\x11\0\xff\xda\0\x02" * 400_000,
    "length": b"\x89PNG\r\n\x1a\n" + b"\xff\xff\xff\xffIHDR" + b"\0" * 100,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_lying_lengths_loops_and_millions_of_pieces_take_bounded_time(name):
    content = HOSTILE[name]
    whole = sha256(content)
    began = time.process_time()
    assert photo_identity(content) == whole
    assert time.process_time() - began < 5


def test_memory_is_bounded_by_the_file():
    """Each of 4,096 tags claims the whole file as its value."""
    program = """
        import resource, struct
        from generic.photos.identity import photo_identity
        n, size = 4000, 2_000_000
        table = b"".join(struct.pack("<HHLL", 1000 + i, 1, size, 8) for i in range(n))
        content = (b"II*\\0\\x08\\0\\0\\0" + struct.pack("<H", n) + table).ljust(size + 100, b"x")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        photo_identity(content)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert int(done.stdout) < 64 << 10  # KiB
