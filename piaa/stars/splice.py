"""Scores go into an XMP packet and come out of it again, and every other byte stays as it was.

What is ours is one description of its own, with its own namespaces, so that nothing is asked of those that
are there. Where a program merged it with others, our properties are taken out one by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from piaa.stars.names import LABEL, OUR_KEYWORD, OUR_LABEL, PIAA, RATING, STAR, SUBJECT, XMP
from piaa.stars.packet import RDF, Description, Element, Field, Packet, Span, parse

NEW = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="piaa">\n'
    b' <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n </rdf:RDF>\n</x:xmpmeta>\n'
)
"""A sidecar that says nothing yet."""
UNRATED = ("", "0")
_STARS = ("1", "2", "3", "4", "5")
_DC = SUBJECT[0]
Edit = tuple[Span, bytes]
"""What is replaced, and by what."""


@dataclass(frozen=True, kw_only=True)
class Marks:
    """What piaa writes of one photo."""

    scores: Mapping[str, str] = field(default_factory=dict)
    """Under our namespace."""
    star: int | None = None
    """For xmp:Rating, where there is none."""
    label: str | None = None
    """For xmp:Label, where there is none."""
    keyword: str | None = None
    """For dc:subject, if it is not among them."""


def with_marks(raw: bytes, marks: Marks, shown: str) -> bytes:
    """A sidecar with these marks in the place of those that piaa wrote before.

    Args:
        raw: the sidecar, or ``NEW``.
        marks: what to write.
        shown: what messages call it.

    Raises:
        StarsError: it is no XMP.

    Example:
        >>> b'xmp:Rating="4"' in with_marks(NEW, Marks(star=4), "a.xmp")
        True
    """
    before = parse(raw, shown)
    clean = _cleaned(before, raw)
    packet = before if clean is raw else parse(clean, shown)
    edits: list[Edit] = []
    own = {f"piaa:{name}": value for name, value in marks.scores.items()}
    stars = stars_of_ours(before)
    if marks.star is not None and _add_star(packet, marks.star, edits, own):
        stars = [marks.star, *(one for one in stars if one != marks.star)]
    if stars:
        own["piaa:Star"] = " ".join(map(str, stars))
    if marks.label is not None and not packet.find(LABEL):
        own |= {"xmp:Label": marks.label, "piaa:Label": marks.label}
    inside = b""
    if marks.keyword is not None and marks.keyword not in packet.words(SUBJECT):
        inside = _add_keyword(packet, marks.keyword, edits)
        own["piaa:Keyword"] = marks.keyword
    edits.append(_insertion(packet, own, inside))
    return _apply(packet, edits)


def without_marks(raw: bytes, shown: str) -> bytes:
    """A sidecar without all that piaa wrote, whatever other programs made of it since.

    A star of ours that a program took over becomes 0, which is none; one that was changed since is hers.

    Raises:
        StarsError: it is no XMP.
    """
    return _cleaned(parse(raw, shown), raw)


def _cleaned(packet: Packet, raw: bytes) -> bytes:
    """The bytes of a packet without what is ours; the very same ones where nothing is."""
    if not any(_is_ours(one) for some in packet.descriptions for one in some.fields):
        return raw
    edits: list[Edit] = []
    whole = [one for one in packet.descriptions if _all_ours(one, packet)]
    for description in packet.descriptions:
        if description in whole:
            span = description.element.tag.span[0], description.element.end
            edits.append((_with_space_before(packet.text, span), b""))
        else:
            edits += [edit for one in description.fields for edit in _taken_out(one, packet)]
    return _apply(packet, edits)


def stars_of_ours(packet: Packet) -> list[int]:
    """The stars that piaa ever wrote into a packet, the newest first."""
    return [int(one) for one in (packet.value(STAR) or "").split() if one in _STARS]


def star_is_ours(packet: Packet) -> bool:
    """Whether the star in a packet is one that piaa wrote into it."""
    return _number(packet.value(RATING)) in stars_of_ours(packet)


def _is_ours(one: Field) -> bool:
    return one.name[0] == PIAA


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _all_ours(description: Description, packet: Packet) -> bool:
    """Whether a description holds nothing but what piaa wrote."""
    if description.foreign or not any(_is_ours(one) for one in description.fields):
        return False
    return all(_is_ours(one) or _is_written(one, packet) for one in description.fields)


def _is_written(one: Field, packet: Packet) -> bool:
    """Whether a property of others has the value that piaa gave it, and no other."""
    if one.name == RATING:
        return star_is_ours(packet)
    if one.name == LABEL:
        return one.value is not None and one.value == packet.value(OUR_LABEL)
    return one.name == SUBJECT and [word for word, _ in one.words] == [packet.value(OUR_KEYWORD)]


def _taken_out(one: Field, packet: Packet) -> list[Edit]:
    """What takes our part out of a property that stands among others."""
    if _is_ours(one) or (one.name in (LABEL, SUBJECT) and _is_written(one, packet)):
        span = one.span if one.element is None else _with_space_before(packet.text, one.span)
        return [(span, b"")]
    if one.name == RATING and _is_written(one, packet):
        return [(one.inside, b"0")]
    if one.name == SUBJECT:
        ours = packet.value(OUR_KEYWORD)
        return [(_with_space_before(packet.text, span), b"") for word, span in one.words if word == ours]
    return []


def _add_star(packet: Packet, star: int, edits: list[Edit], own: dict[str, str]) -> bool:
    """Add a star where there is none; whether there was none."""
    found = packet.find(RATING)
    if any(one.value is None or one.value.strip() not in UNRATED for one in found):
        return False
    if not found:
        own["xmp:Rating"] = str(star)
    for one in found:
        edits.append(_with_value(one, str(star).encode()))
    return True


def _with_value(one: Field, value: bytes) -> Edit:
    if one.element is not None and one.element.tag.closed:
        return _opened(one.element, value)
    return one.inside, value


def _opened(element: Element, inside: bytes) -> Edit:
    """Something goes into an element that one tag both begins and ends."""
    end = element.tag.span[1]
    return (end - 2, end), b">" + inside + b"</" + element.tag.name + b">"


def _add_keyword(packet: Packet, keyword: str, edits: list[Edit]) -> bytes:
    """Add a keyword to the list that is there; if there is none, what our description gets inside."""
    bags = [one.bag for one in packet.find(SUBJECT) if one.bag is not None]
    if not bags:
        return b"<dc:subject><rdf:Bag><rdf:li>%b</rdf:li></rdf:Bag></dc:subject>" % _escaped(keyword)
    bag = bags[0]
    name = b"".join(bag.tag.name.rpartition(b":")[:2]) + b"li"
    item = b"<%b>%b</%b>" % (name, _escaped(keyword), name)
    if bag.tag.closed:
        edits.append(_opened(bag, item))
    else:
        words = [span for one in packet.find(SUBJECT) if one.bag is bag for _, span in one.words]
        at = words[-1][1] if words else bag.inside[0]
        edits.append(((at, at), (_space_before(packet.text, words[-1][0]) if words else b"") + item))
    return b""


def _insertion(packet: Packet, own: Mapping[str, str], inside: bytes) -> Edit:
    """Our description, behind the last one and laid out like it."""
    last = packet.descriptions[-1].element if packet.descriptions else None
    line = b"\r\n" if b"\r\n" in packet.text else b"\n"
    space = _space_before(packet.text, last.tag.span[0]) if last else line + b"  "
    about = packet.descriptions[0].about if packet.descriptions else b""
    names = {"rdf": RDF, "piaa": PIAA}
    names |= {"xmp": XMP} if any(name.startswith("xmp:") for name in own) else {}
    names |= {"dc": _DC} if inside else {}
    words = [b'xmlns:%b="%b"' % (prefix.encode(), address.encode()) for prefix, address in names.items()]
    words += [b'rdf:about="%b"' % about] if b'"' not in about else [b"rdf:about='%b'" % about]
    words += [b'%b="%b"' % (name.encode(), _escaped(value)) for name, value in own.items()]
    head = space + b"<rdf:Description " + b" ".join(words)
    text = head + (b">" + inside + b"</rdf:Description>" if inside else b"/>")
    if packet.rdf.tag.closed:
        return _opened(packet.rdf, text)
    at = last.end if last else packet.rdf.tag.span[1]
    return (at, at), text


def _escaped(text: str) -> bytes:
    """Text for an attribute or an element, in ASCII, which every encoding has."""
    special = {"&", "<", ">", '"', "'"}
    return "".join(
        f"&#{ord(one)};" if one in special or not " " <= one <= "~" else one for one in text
    ).encode()


def _space_before(text: bytes, at: int) -> bytes:
    start, _ = _with_space_before(text, (at, at))
    return text[start:at]


def _with_space_before(text: bytes, span: Span) -> Span:
    start = span[0]
    while start > 0 and text[start - 1 : start].isspace():
        start -= 1
    return start, span[1]


def _apply(packet: Packet, edits: list[Edit]) -> bytes:
    """The file's bytes with these edits, none of which touches another."""
    text = packet.text
    for (start, end), new in sorted(edits, key=lambda one: one[0], reverse=True):
        text = text[:start] + new + text[end:]
    return packet.form.encode(text)
