"""An XMP packet, parsed by expat, with the place of each property in its bytes.

Nothing is ever serialised: what changes a packet (:mod:`piaa.stars.splice`) replaces bytes at these places
and keeps all others, since the edit histories of raw developers live in the same files. Names are known by
the address of their namespace, whatever its prefix; a property may be an attribute or an element; and there
may be several descriptions. A document type is refused, and with it every entity that could grow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn
from xml.parsers import expat

from piaa.stars.encoding import Form, decode, unreadable

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_META = "adobe:ns:meta/"
MOST_BYTES = 16 << 20
"""Of a packet: edit histories with many masks take a few hundred kilobytes."""
_MOST_DEPTH = 100
_MOST_ELEMENTS = 500_000
_MOST_PROPERTIES = 10_000
"""Descriptions and items of lists are counted among them; to take apart many more costs minutes."""
_BETWEEN = "\n"  # of the parts of a name; no address of a namespace has it
_ATTRIBUTE = re.compile(rb"\s+([^\s=]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_TAG_NAME = re.compile(rb"<([^\s/>]+)")

Name = tuple[str, str]
"""Address of the namespace, and the name in it."""
Span = tuple[int, int]
"""Where something begins and ends in the text."""


@dataclass(frozen=True)
class Tag:
    """The tag that begins an element."""

    span: Span
    name: bytes
    """With its prefix."""
    attributes: dict[bytes, tuple[Span, Span]]
    """By name with prefix: all of it with the space before it, and its value."""
    closed: bool
    """It ends the element too."""


@dataclass
class Element:
    """An element, once its end was seen."""

    tag: Tag
    inside: Span = (0, 0)
    """Between its tags; empty where one tag is all."""
    end: int = 0


@dataclass
class Field:
    """A property."""

    name: Name
    value: str | None
    """None if it is more than text."""
    span: Span
    """All of it; of an attribute with the space before it."""
    inside: Span
    """Where its value stands."""
    element: Element | None
    """None for an attribute."""
    words: list[tuple[str, Span]] = field(default_factory=list)
    """Items of a list, each with the place of its element."""
    bag: Element | None = None
    """What holds the items."""


@dataclass
class Description:
    """One of the elements that hold properties."""

    element: Element
    about: bytes
    """What it says it is about, as it stands there."""
    fields: list[Field] = field(default_factory=list)
    foreign: bool = False
    """It has an attribute or a child that is no property in a namespace."""


@dataclass
class Packet:
    """What was parsed."""

    text: bytes
    """In UTF-8, without a byte order mark."""
    form: Form
    rdf: Element
    """Which holds the descriptions."""
    descriptions: list[Description] = field(default_factory=list)

    def find(self, name: Name) -> list[Field]:
        """All properties of a name; more than one contradicts XMP, but occurs."""
        return [one for some in self.descriptions for one in some.fields if one.name == name]

    def value(self, name: Name) -> str | None:
        """The text of the first property of a name; None if there is none."""
        return next((one.value for one in self.find(name) if one.value is not None), None)

    def words(self, name: Name) -> list[str]:
        """All items of lists of a name."""
        return [word for one in self.find(name) for word, _ in one.words]


def parse(raw: bytes, shown: str) -> Packet:
    """A packet, with all that stands around it.

    Args:
        raw: a sidecar, or a packet in a photo; zero bytes at its end are passed over.
        shown: what messages call it.

    Raises:
        StarsError: it is no XMP, or more than a packet may be.

    Example:
        >>> rdf = f'<r:RDF xmlns:r="{RDF}"><r:Description xmlns:a="urn:a" a:b="&lt;"/></r:RDF>'
        >>> parse(rdf.encode(), "a.xmp").value(("urn:a", "b"))
        '<'
    """
    if len(raw) > MOST_BYTES:
        raise unreadable(shown, f"it has {len(raw)} bytes, but at most {MOST_BYTES} are read")
    text, form = decode(raw, shown)
    reader = _Reader(text, form, shown)
    reader.run()
    if reader.packet is None:
        raise unreadable(shown, "there is no rdf:RDF in it")
    return reader.packet


class _Reader:
    """One parse: expat calls it, tag by tag."""

    def __init__(self, text: bytes, form: Form, shown: str) -> None:
        self._text, self._form, self._shown = text, form, shown
        self.packet: Packet | None = None
        self._open: list[tuple[Name, Any]] = []
        """Each open element's name, and what is made of it: None where nothing is."""
        self._characters: list[str] = []
        self._left = {"elements": _MOST_ELEMENTS, "properties": _MOST_PROPERTIES}
        self._parser = expat.ParserCreate("utf-8", _BETWEEN)
        self._parser.namespace_prefixes = True
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters.append

    def run(self) -> None:
        """Parse all of it; one error for whatever is wrong."""
        try:
            self._parser.Parse(self._text.rstrip(b"\0"), True)
        except expat.ExpatError as error:
            raise unreadable(self._shown, str(error)) from None

    def _refuse(self, *_: object) -> NoReturn:
        raise unreadable(self._shown, "it has a DOCTYPE, which XMP has not")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) >= _MOST_DEPTH:
            raise unreadable(self._shown, f"its elements are nested more than {_MOST_DEPTH} deep")
        self._count("elements", 1)
        full, depth = name_of(name), len(self._open)
        above = self._open[-1][1] if self._open else None
        made: Any = None
        if full == (RDF, "RDF") and (depth == 0 or (depth == 1 and self._open[0][0][0] == _META)):
            made = self._root()
        elif isinstance(above, Packet):
            made = self._description(full, attributes)
        elif isinstance(above, Description):
            made = self._field(full, attributes, above)
        elif isinstance(above, Field):
            made = self._inside(full, above)
        elif isinstance(above, _List) and full == (RDF, "li"):
            self._count("properties", 1)
            made = _Item(above.owner, Element(self._tag()))
        self._open.append((full, made))
        self._characters.clear()

    def _end(self, name: str) -> None:  # noqa: ARG002  (expat gives it)
        _, made = self._open.pop()
        written = "".join(self._characters)
        self._characters.clear()
        if made is None:
            return
        element = made.rdf if isinstance(made, Packet) else made.element
        self._close(element)
        span = element.tag.span[0], element.end
        if isinstance(made, Field):
            made.span, made.inside = span, element.inside
            made.value = None if made.value is None else written
        elif isinstance(made, _Item):
            made.owner.words.append((written, span))

    def _count(self, what: str, n: int) -> None:
        self._left[what] -= n
        if self._left[what] < 0:
            raise unreadable(self._shown, f"it has more {what} than any program writes")

    def _root(self) -> Packet:
        if self.packet is not None:
            raise unreadable(self._shown, "it has more than one rdf:RDF")
        self.packet = Packet(self._text, self._form, Element(self._tag()))
        return self.packet

    def _description(self, name: Name, attributes: dict[str, str]) -> Description | None:
        if name != (RDF, "Description") or self.packet is None:
            return None
        self._count("properties", 1 + len(attributes))
        tag = self._tag()
        made = Description(Element(tag), b"")
        for qualified, value in attributes.items():
            full = name_of(qualified)
            whole, inside = tag.attributes[_with_prefix(qualified)]
            if full in ((RDF, "about"), ("", "about")):
                made.about = self._text[slice(*inside)]
            elif full[0] in ("", RDF):
                made.foreign = True
            else:
                made.fields.append(Field(full, value, whole, inside, None))
        self.packet.descriptions.append(made)
        return made

    def _field(self, name: Name, attributes: dict[str, str], above: Description) -> Field:
        self._count("properties", 1)
        # A value that is said by attributes is no text, whatever they are.
        plain = all(name_of(one)[1] == "lang" for one in attributes)
        element = Element(self._tag())
        made = Field(name, "" if plain else None, element.tag.span, element.inside, element)
        above.fields.append(made)
        return made

    def _inside(self, name: Name, above: Field) -> _List | None:
        above.value = None
        if name not in ((RDF, "Bag"), (RDF, "Seq")) or above.bag is not None:
            return None
        above.bag = Element(self._tag())
        return _List(above, above.bag)

    def _tag(self) -> Tag:
        """The tag at which expat stands, taken apart; expat found it well-formed."""
        at = start = self._parser.CurrentByteIndex
        name = _TAG_NAME.match(self._text, at)
        if name is None:
            raise unreadable(self._shown, "its tags cannot be told apart")
        at, attributes = name.end(), {}
        for one in _attributes(self._text, at):
            inside = one.span(2) if one[2] is not None else one.span(3)
            attributes[one[1]] = (one.span(), inside)
            at = one.end()
        end = self._text.index(b">", at) + 1
        return Tag((start, end), name[1], attributes, self._text[end - 2 : end] == b"/>")

    def _close(self, element: Element) -> None:
        """Note where an element ends, at which expat stands."""
        after = element.tag.span[1]
        here = after if element.tag.closed else self._parser.CurrentByteIndex
        element.inside = after, here
        element.end = after if element.tag.closed else self._text.index(b">", here) + 1


@dataclass
class _List:
    """A list in a property."""

    owner: Field
    element: Element


@dataclass
class _Item:
    """An item of a list."""

    owner: Field
    element: Element


def name_of(expanded: str) -> Name:
    """Namespace and name, as expat joins them."""
    parts = expanded.split(_BETWEEN)
    return ("", parts[0]) if len(parts) == 1 else (parts[0], parts[1])


def _with_prefix(expanded: str) -> bytes:
    parts = expanded.split(_BETWEEN)
    return (f"{parts[2]}:{parts[1]}" if len(parts) == 3 else parts[-1]).encode()


def _attributes(text: bytes, at: int) -> Iterator[re.Match[bytes]]:
    while found := _ATTRIBUTE.match(text, at):
        yield found
        at = found.end()
