"""All stars of a folder of photos, each photo once, whatever the place that they stand in."""

from __future__ import annotations

import stat
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from generic.errors import ImageError, StarsError
from generic.photos.find import find_images, printable
from generic.photos.told import told_of
from piaa.stars.lightroom import Catalogue
from piaa.stars.marks import EMBEDDED, PLACES, SIDECAR, Mark, of_exif, of_packet
from piaa.stars.packet import MOST_BYTES, Packet, parse
from piaa.stars.shots import Shot, shots_of


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One photo, and all that places say of it, the most binding first."""

    shot: Shot
    name: str
    """Of the file that is looked at, below the folder."""
    marks: tuple[Mark, ...] = ()
    written: frozenset[int] = frozenset()
    """Stars that piaa wrote for it."""

    def known(self, written: frozenset[int] = frozenset()) -> Judged:
        """The same, with what is known of stars that piaa wrote for this photo, wherever."""
        more = written.union(*(mark.written for mark in self.marks))
        return replace(self, written=more)

    @property
    def hers(self) -> Mark | None:
        """The mark that counts: the first with a star that piaa did not write, or a rejection instead."""
        for mark in self.marks:
            if self._is_hers(mark) or (mark.stars is None and mark.flag == "reject"):
                return mark
        return None

    @property
    def stars(self) -> int | None:
        """Her stars; None if there are none, or she rejected it instead."""
        return self.hers.stars if self.hers else None

    @property
    def flag(self) -> str | None:
        """The first pick or reject flag."""
        return next((mark.flag for mark in self.marks if mark.flag), None)

    @property
    def only_ours(self) -> bool:
        """Whether there are stars, but piaa wrote them all."""
        return any(one.stars for one in self.marks) and not any(map(self._is_hers, self.marks))

    @property
    def disagree(self) -> bool:
        """Whether places say different stars, none of them written by piaa."""
        return len({one.stars for one in self.marks if self._is_hers(one)}) > 1

    def _is_hers(self, mark: Mark) -> bool:
        return mark.stars is not None and mark.stars not in self.written


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """What a folder holds."""

    root: Path
    """The folder that names are relative to."""
    photos: tuple[Judged, ...] = ()
    skipped: dict[str, str] = field(default_factory=dict)
    """What could not be understood, with the reason."""

    @property
    def places(self) -> Counter[str]:
        """How many photos each place says something of."""
        return Counter(mark.place for one in self.photos for mark in one.marks)


def gather(photos: Path, catalogue: Catalogue | None = None) -> Gathered:
    """Everything that is said of the photos of a folder.

    Args:
        photos: a folder, searched with those inside, or one photo.
        catalogue: of Lightroom, if there is one.

    Raises:
        ImageError: there is no photo, or a folder cannot be read.
    """
    paths = find_images(photos)
    root = photos if photos.is_dir() else photos.parent
    beside: list[Path] = []
    if not photos.is_dir():  # a photo alone still has its raw photo and its sidecars beside it
        with suppress(ImageError):
            beside = find_images(root, recursive=False)
    shots, unclear = shots_of(sorted({*paths, *beside}))
    chosen = set(paths)
    skipped = {name_of(path, root): reason for path, reason in unclear.items() if photos.is_dir()}
    found = []
    for shot in shots:
        if chosen.isdisjoint(shot.files):
            continue
        marks = _marks(shot, root, catalogue, skipped)
        found.append(Judged(shot=shot, name=name_of(shot.main, root), marks=tuple(marks)).known())
    return Gathered(root=root, photos=tuple(found), skipped=skipped)


def name_of(path: Path, root: Path) -> str:
    r"""A path below the folder, as every format can hold it: bytes that are not UTF-8 become ``\udc..``."""
    return path.relative_to(root).as_posix().encode(errors="backslashreplace").decode()


def _marks(shot: Shot, root: Path, catalogue: Catalogue | None, skipped: dict[str, str]) -> list[Mark]:
    found: list[Mark] = []
    for path in shot.raws_first:
        try:
            mark = catalogue.mark(path, root) if catalogue else None
            found += [mark] if mark else []
        except ValueError as error:
            skipped[name_of(path, root)] = str(error)
    for path in shot.sidecars:
        try:
            found.append(of_packet(read_sidecar(path), SIDECAR))
        except (StarsError, ValueError) as error:
            skipped[name_of(path, root)] = str(error)
    for path in shot.raws_first:
        try:
            found += _embedded(path)
        except (StarsError, ValueError) as error:
            skipped[name_of(path, root)] = str(error)
    return sorted((mark for mark in found if mark.says), key=lambda mark: PLACES.index(mark.place))


def _embedded(path: Path) -> list[Mark]:
    told = told_of(path)
    packet = [] if told.xmp is None else [parse(told.xmp, f"the XMP in {printable(str(path))}")]
    return [*(of_packet(one, EMBEDDED) for one in packet), *of_exif(told)]


def read_sidecar(path: Path) -> Packet:
    """A sidecar, parsed.

    Raises:
        StarsError: it is no XMP, or cannot be read.
    """
    return parse(sidecar_bytes(path), printable(str(path)))


def sidecar_bytes(path: Path) -> bytes:
    """The content of a sidecar, if that is a file of a size that one may have.

    Raises:
        StarsError: it is not, or cannot be read.
    """
    shown = printable(str(path))
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise StarsError(f"{shown} is no regular file, expected an XMP sidecar; take it away")
        if status.st_size > MOST_BYTES:
            raise StarsError(
                f"{shown} has {status.st_size} bytes, but at most {MOST_BYTES} are read of a sidecar; take "
                "it away (it is unchanged)"
            )
        return path.read_bytes()
    except OSError as error:
        raise StarsError(f"{shown} cannot be read: {error.strerror}; change its permissions") from None
