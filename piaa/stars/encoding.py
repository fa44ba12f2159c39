"""XMP in any encoding becomes UTF-8, in which it is parsed and changed, and goes back byte for byte."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from generic.errors import StarsError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WIDE = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE, b"<\0\0\0", b"\0\0\0<")
_UNMARKED = ((b"<\0", "utf-16-le"), (b"\0<", "utf-16-be"))
_DECLARED = re.compile(rb"\s*<\?xml[^>]{1,100}?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
# Those that expat knows. UTF-16 that is declared, but not there, is what programs leave that write UTF-8.
_KNOWN = {"utf-8": "utf-8", "utf-16": "utf-8", "us-ascii": "ascii", "iso-8859-1": "latin-1"}


@dataclass(frozen=True)
class Form:
    """How text lies in a file."""

    encoding: str
    mark: bytes
    """The byte order mark before it, if there is one."""

    def encode(self, text: bytes) -> bytes:
        """The bytes of a file with this text, which is in UTF-8."""
        return self.mark + text.decode().encode(self.encoding)


def decode(raw: bytes, shown: str) -> tuple[bytes, Form]:
    r"""The text in UTF-8, without its mark, and how it lies in the file.

    Args:
        raw: a file, or a packet in one.
        shown: what messages call it.

    Raises:
        StarsError: the encoding is unknown, or some bytes are not in it.

    Example:
        >>> decode("<a/>".encode("utf-16"), "a.xmp")
        (b'<a/>', Form(encoding='utf-16-le', mark=b'\xff\xfe'))
    """
    form = _form(raw, shown)
    try:
        text = raw[len(form.mark) :].decode(form.encoding).encode()
    except UnicodeError as error:
        raise unreadable(shown, f"it is not in {form.encoding}: {error}") from None
    return text, form


def _form(raw: bytes, shown: str) -> Form:
    if raw.startswith(_WIDE):
        raise unreadable(shown, "it is in UTF-32")
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            return Form(encoding, mark)
    for start, encoding in _UNMARKED:
        if raw.startswith(start):
            return Form(encoding, b"")
    declared = _DECLARED.match(raw)
    name = declared[1].decode().lower() if declared else "utf-8"
    if name not in _KNOWN:
        raise unreadable(shown, f"it is in {name!r}, not in UTF-8 or UTF-16")
    return Form(_KNOWN[name], b"")


def unreadable(shown: str, reason: str) -> StarsError:
    """What to raise for XMP that cannot be understood."""
    return StarsError(
        f"{shown} cannot be read as XMP: {reason}; let the program that wrote it write it again, or take it "
        "away (it is unchanged)"
    )
