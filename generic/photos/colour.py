"""Colours by a photo's own profile become those of sRGB, by LittleCMS.

The networks were trained on photos that are nearly all sRGB. The numbers of another space, taken
for sRGB, look pale (Display P3, Adobe RGB) or wrong (ProPhoto, inks). A profile that changes no
colour by more than `_SAME` levels is sRGB's own, whoever wrote it, and is not applied: such
photos, and those without a profile, keep their pixels to the bit.
"""

from __future__ import annotations

import hashlib
import io
import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from generic.photos.to_rgb import grey_to_8_bit, is_deep_grey, to_rgb

_SAME = 2
"""Levels of 255 within which makers of sRGB profiles differ."""
_LARGEST = 16 << 20
"""Bytes of a profile; printers' have up to four million."""
_REMEMBERED = 32
_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
_DEVICES = ("mntr", "scnr", "prtr", "spac")
_GREYS = ("1", "L", "LA", "La", "I", "F")
# As programs for photographers do: black stays black, and no colour moves that sRGB can show.
_INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC
# Without LittleCMS's memory of the last colour, a transform may be used by several threads.
_FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION | ImageCms.Flags.NOCACHE


@dataclass(frozen=True)
class Conversion:
    """What brings pixels of one profile to sRGB."""

    mode: str
    """What it takes: RGB, L or CMYK."""
    transform: Any
    """Of :mod:`PIL.ImageCms`; None where the profile is sRGB's."""


class _UnusableError(Exception):
    """A profile cannot be applied; the argument says why."""


def prepared(image: Image.Image, stored: str, shown: str) -> tuple[Image.Image, Conversion | None]:
    """The picture in a mode that can be resized, and what `in_srgb` has to do afterwards.

    Afterwards, since a transform takes ten times as long for a photo as for what a network sees.

    Args:
        image: of any mode, with its profile in ``info``. A profile that cannot be used is ignored,
            which is said once in the log.
        stored: the mode as the file has it; a decoder may have made RGB of greyscale.
        shown: what messages call the photo.

    Returns:
        mode RGB, or L of deep greyscale, or CMYK where there is a profile of inks; and None if the
        colours are right.
    """
    conversion = None
    profile = image.info.get("icc_profile")
    # LAB means colours as they are seen, whatever profile is with it.
    if profile and image.mode != "LAB":
        conversion = _conversion_for(profile, _mode_of(stored), shown)
    if is_deep_grey(image):  # One channel until it is small: a third of the memory.
        image = grey_to_8_bit(image)
    elif conversion is None or conversion.mode != "CMYK":
        image = to_rgb(image)
    return image, conversion


def in_srgb(image: Image.Image, conversion: Conversion | None) -> Image.Image:
    """The picture in RGB and sRGB; the very same if it is so already.

    Args:
        image: as `prepared` gave it, resized or not.
        conversion: what `prepared` gave with it.
    """
    if conversion is None:
        return image if image.mode == "RGB" else image.convert("RGB")
    converted: Image.Image = conversion.transform.apply(
        image.getchannel(0) if conversion.mode == "L" else image
    )
    return converted


def is_converted(profile: bytes) -> bool:
    """Whether an ICC profile changes the pixels of pictures that it is for: it is whole, and not sRGB's."""
    found = _known(profile)
    return isinstance(found, Conversion) and found.transform is not None


def _mode_of(stored: str) -> str:
    """What a profile has to be for."""
    if stored in _GREYS or stored.startswith("I;16"):
        return "L"
    return "CMYK" if stored == "CMYK" else "RGB"


def _conversion_for(profile: bytes, mode: str, shown: str) -> Conversion | None:
    """The conversion for a picture of a mode; None if there is nothing to do, or it cannot be done."""
    found = _known(profile)
    if isinstance(found, str):
        _say_once(profile, shown, found)
        return None
    # One for greyscale says nothing of a photo in colour, where programs leave it by mistake.
    return found if found.transform is not None and found.mode == mode else None


_conversions: OrderedDict[bytes, Conversion | str] = OrderedDict()
_said: set[bytes] = set()
_lock = threading.Lock()


def _known(profile: bytes) -> Conversion | str:
    """The conversion of a profile, or why there is none; the last ones are remembered."""
    key = hashlib.sha256(profile).digest()
    with _lock:
        if key not in _conversions:
            _conversions[key] = _tried(profile)
        _conversions.move_to_end(key)
        if len(_conversions) > _REMEMBERED:
            _conversions.popitem(last=False)
        return _conversions[key]


def _tried(profile: bytes) -> Conversion | str:
    try:
        return _made(profile)
    # What LittleCMS raises for a profile that is damaged has no common class.
    except Exception as error:
        return " ".join(str(error).split()) or type(error).__name__


def _made(profile: bytes) -> Conversion:
    if len(profile) > _LARGEST:
        raise _UnusableError(f"it has {len(profile)} bytes, and the limit is {_LARGEST}")
    opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    space, device = opened.profile.xcolor_space.strip(), opened.profile.device_class
    if space not in _MODES or device not in _DEVICES:
        raise _UnusableError(f"it is of class {device!r} for the colour space {space!r}")
    mode = _MODES[space]
    srgb = ImageCms.createProfile("sRGB")
    transform = ImageCms.buildTransform(opened, srgb, mode, "RGB", _INTENT, _FLAGS)
    return Conversion(mode, None if _changes_nothing(transform, mode) else transform)


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether colours all over the space stay what they are."""
    if mode == "CMYK":
        return False
    levels = np.arange(0, 256, 17 if mode == "RGB" else 1, dtype=np.uint8)
    sample = np.stack(np.meshgrid(*[levels] * len(mode)), axis=-1).reshape(1, -1, len(mode))
    before = Image.fromarray(sample if mode == "RGB" else sample[..., 0])
    after = np.asarray(transform.apply(before)).astype(int)
    return bool(np.abs(after - np.asarray(before.convert("RGB"))).max() <= _SAME)


def _say_once(profile: bytes, shown: str, reason: str) -> None:
    key = hashlib.sha256(profile).digest()
    with _lock:
        if key in _said:
            return
        _said.add(key)
    logging.getLogger(__name__).warning(
        "%s: its colour profile cannot be used (%s), so its colours are taken for sRGB; "
        "so are those of other photos with this profile",
        shown,
        reason,
    )
