from __future__ import annotations

import codecs

import pytest

from piaa.stars.encoding import decode

TEXT = '<?xml version="1.0"?><a>Größe 写真</a>'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_text_is_found_and_goes_back(encoding):
    raw = TEXT.encode(encoding)
    text, form = decode(raw, "a.xmp")
    assert text.decode() == TEXT
    assert form.encode(text) == raw


def test_a_declaration_counts_where_no_mark_is():
    for name, encoding in (("ISO-8859-1", "latin-1"), ("us-ascii", "ascii"), ("UTF-16", "utf-8")):
        raw = f'<?xml version="1.0" encoding="{name}"?><a>'.encode() + "b".encode(encoding)
        text, form = decode(raw, "a.xmp")
        assert (form.encoding, form.encode(text)) == (encoding, raw)
    marked = codecs.BOM_UTF8 + b'<?xml version="1.0" encoding="ISO-8859-1"?>'
    assert decode(marked, "a.xmp")[1].encoding == "utf-8"
