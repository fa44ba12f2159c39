"""A PNG without what the decoder may stumble over: texts, comments and the like never cost the pixels.

Pillow gives up the whole picture for a text that is large when unpacked, a checksum that is wrong
in a comment, or a profile of more than a megabyte. So chunks that it could stumble over are left
out, or unpacked if they say which side is up. Nothing is unpacked beyond a limit.
"""

from __future__ import annotations

import io
import struct
import zlib
from contextlib import suppress
from typing import BinaryIO

from generic.photos.formats.png import TEXT, TURNING, chunks, intact
from generic.photos.formats.source import FileBytes, Odd

_MOST = 16 << 20
"""Bytes of a chunk that is heeded, and of all texts unpacked; printers' profiles have four million."""
_COLOUR_TYPE = 25
"""Where in the file the byte lies that tells grey, colours and palettes apart."""
_PILLOWS_MOST = 1 << 20
"""Bytes of a profile that Pillow unpacks itself."""
_ANIMATION = (b"acTL", b"fcTL", b"fdAT")
_LEAST = {b"pHYs": 9, b"gAMA": 4, b"cHRM": 32, b"sRGB": 1}
_TRANSPARENCY = b"transparency"  # a text that Pillow would take for the colour that is clear
_TRIED = 1 << 20
"""Bytes that a damaged one counts for."""
_OPTIONAL = 0x20
"""In the first letter of the kind of a chunk that a decoder may do without."""


def readable_png(stream: BinaryIO) -> tuple[BinaryIO, bytes | None]:
    """The PNG for the decoder, and its colour profile.

    Args:
        stream: a PNG, can seek. Its errors in what is needed are left to the decoder.

    Returns:
        a PNG of the same pixels and the same side up, the stream itself if nothing had to be
        left out; and the ICC profile, None if there is none that can be read.
    """
    source = FileBytes(stream)
    colour_type = source[_COLOUR_TYPE : _COLOUR_TYPE + 1]
    pieces: list[bytes] = []
    texts, profiles = _Unpacker(), _Unpacker()
    profile, done = None, 0
    with suppress(Odd):  # What is cut off, or follows the last chunk, stays as it is.
        for kind, at, length in chunks(source):
            if not kind[0] & _OPTIONAL:
                continue
            whole = length <= _MOST and intact(source, at, length)
            content = source[at + 8 : at + 8 + length] if whole else None
            if kind == b"iCCP" and content is not None:
                profile = profiles.after_name(content)
            if content is None or not _is_harmless(kind, content, colour_type, profile, texts):
                pieces += [source[done:at], _unpacked_text(kind, content or b"", texts)]
                done = at + length + 12
    if not done:
        return stream, profile
    return io.BytesIO(b"".join([*pieces, source[done:]])), profile


def _is_harmless(
    kind: bytes, content: bytes, colour_type: bytes, profile: bytes | None, texts: _Unpacker
) -> bool:
    """Whether the decoder reads the chunk, or passes over it, whatever it holds."""
    if kind == b"tRNS":
        least, most = {b"\0": (2, 2), b"\2": (6, 6), b"\3": (1, 256)}.get(colour_type, (1, 0))
        return least <= len(content) <= most
    if kind == b"iCCP":
        return profile is not None and len(profile) <= _PILLOWS_MOST
    if kind in TEXT:
        name, _, rest = content.partition(b"\0")
        plain = kind == b"tEXt" or (kind == b"iTXt" and rest[:1] == b"\0")
        return plain and name != _TRANSPARENCY and texts.takes(len(content))
    return kind.isalpha() and kind not in _ANIMATION and len(content) >= _LEAST.get(kind, 0)


def _unpacked_text(kind: bytes, content: bytes, texts: _Unpacker) -> bytes:
    """The chunk that says the same without packing; empty if it is not heeded, or cannot be read."""
    name, _, rest = content.partition(b"\0")
    if name not in TURNING or kind not in (b"zTXt", b"iTXt"):
        return b""
    if kind == b"zTXt":
        kind, heads, text = b"tEXt", [name], texts.after_name(content)
    else:
        parts = rest[2:].split(b"\0", 2)  # language, translated name, text
        heads = [name, b"\0", *parts[:2]]
        text = texts.unpacked(parts[2]) if len(parts) == 3 and rest[:2] == b"\1\0" else None
    if text is None:
        return b""
    content = b"\0".join([*heads, text])
    return struct.pack(">L", len(content)) + kind + content + struct.pack(">L", zlib.crc32(kind + content))


class _Unpacker:
    """Unpacks what zlib packed, up to a limit for all together, so that a thousand bombs cost as one."""

    def __init__(self) -> None:
        self._left = _MOST

    def after_name(self, content: bytes) -> bytes | None:
        """What follows a name and the number 0, which stands for the one way of packing."""
        _, _, rest = content.partition(b"\0")
        return self.unpacked(rest[1:]) if rest[:1] == b"\0" else None

    def takes(self, size: int) -> bool:
        """Whether there is room for something of so many bytes that was never packed."""
        self._left -= size
        return self._left >= 0

    def unpacked(self, packed: bytes) -> bytes | None:
        """None if it is damaged, or larger than what is left of the limit."""
        unpacking = zlib.decompressobj()
        try:
            content = unpacking.decompress(packed, max(1, self._left))
        except zlib.error:
            self._left -= _TRIED
            return None
        self._left -= len(content)
        return None if unpacking.unconsumed_tail else content
