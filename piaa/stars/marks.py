"""What one place says of a photo: stars, a flag, or that piaa wrote it itself."""

from __future__ import annotations

from dataclasses import dataclass

from generic.photos.told import Told
from piaa.stars.names import PERCENTS, PICK, PICK_LABEL, RATING, TAGGED
from piaa.stars.packet import Name, Packet
from piaa.stars.splice import stars_of_ours

LIGHTROOM, SIDECAR, EMBEDDED, EXIF, EXIF_PERCENT = (
    "the Lightroom catalogue",
    "sidecars",
    "XMP in the photo",
    "EXIF Rating",
    "EXIF RatingPercent",
)
PLACES = (LIGHTROOM, SIDECAR, EMBEDDED, EXIF, EXIF_PERCENT)
"""Where stars are looked for: of places that disagree, the first one counts."""
REJECTED = -1
MOST = 5
_PERCENTS = (1, 13, 38, 63, 88)
"""From which percentage on there are one to five stars: Windows writes 1, 25, 50, 75 and 99."""
_FLAGS: dict[Name, dict[str, str]] = {
    PICK_LABEL: {"1": "reject", "3": "pick"},
    PICK: {"-1": "reject", "1": "pick"},
    TAGGED: {"true": "pick"},
}


@dataclass(frozen=True, kw_only=True)
class Mark:
    """What a place says."""

    place: str
    """One of ``PLACES``."""
    stars: int | None = None
    """1 to 5."""
    flag: str | None = None
    """``pick`` or ``reject``."""
    written: frozenset[int] = frozenset()
    """Stars that piaa wrote, as the place itself says."""

    @property
    def says(self) -> bool:
        """Whether it says anything, were it of piaa alone."""
        return self.stars is not None or self.flag is not None or bool(self.written)


def mark_of(
    place: str, rating: float | None, flag: str | None = None, written: frozenset[int] = frozenset()
) -> Mark:
    """What a rating of -1 to 5 means: 0 is none, -1 is rejected, which is never learned as a score.

    Args:
        place: one of ``PLACES``.
        rating: as it stands there; None for none.
        flag: that stands beside it.
        written: stars that piaa wrote there.

    Raises:
        ValueError: it is no whole number from -1 to 5.

    Example:
        >>> mark_of(EXIF, 4).stars, mark_of(EXIF, -1).flag, mark_of(EXIF, 0).says
        (4, 'reject', False)
    """
    if rating is None or rating == 0:
        return Mark(place=place, flag=flag, written=written)
    if rating == REJECTED:
        return Mark(place=place, flag="reject", written=written)
    if rating not in range(1, MOST + 1):
        raise ValueError(f"{place} rates it {rating:g}, which is none of -1 to {MOST}")
    return Mark(place=place, stars=int(rating), flag=flag, written=written)


def of_packet(packet: Packet, place: str) -> Mark:
    """What an XMP packet says.

    Raises:
        ValueError: its rating is no whole number from -1 to 5.
    """
    flags = (wanted.get((packet.value(name) or "").strip().lower()) for name, wanted in _FLAGS.items())
    flag = next((one for one in flags if one), None)
    if any(one.value is None for one in packet.find(RATING)):
        raise ValueError(f"the rating in {place} is more than a number")
    rating = _number(packet.value(RATING), place)
    if rating is None or rating == 0:
        percent = _number(next(filter(None, map(packet.value, PERCENTS)), None), place)
        rating = None if percent is None else stars_of_percent(percent)
    return mark_of(place, rating, flag, frozenset(stars_of_ours(packet)))


def of_exif(told: Told) -> list[Mark]:
    """What an EXIF block says.

    Raises:
        ValueError: its rating is none of 0 to 5.
    """
    percent = None if told.percent is None else stars_of_percent(told.percent)
    return [mark_of(EXIF, told.rating), mark_of(EXIF_PERCENT, percent)]


def stars_of_percent(percent: float) -> int:
    """Stars of a percentage, as Windows counts them.

    Example:
        >>> [stars_of_percent(one) for one in (0, 1, 25, 50, 75, 99, 100)]
        [0, 1, 2, 3, 4, 5, 5]
    """
    return sum(percent >= one for one in _PERCENTS)


def _number(text: str | None, place: str) -> float | None:
    if text is None or not text.strip():
        return None
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{place} rates it {text.strip()[:40]!r}, which is no number") from None
