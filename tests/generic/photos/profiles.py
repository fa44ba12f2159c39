"""Colour profiles written by hand, and what they mean, computed by the definition of their spaces."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import numpy as np

# Columns: full red, green and blue in XYZ, adapted to the white D50, as the spaces' owners publish them.
SRGB = (
    (0.4360747, 0.3850649, 0.1430804),
    (0.2225045, 0.7168786, 0.0606169),
    (0.0139322, 0.0971045, 0.7141733),
)
P3 = ((0.51512, 0.29198, 0.15710), (0.24120, 0.69225, 0.06657), (-0.00105, 0.04189, 0.78407))
ADOBE = ((0.60974, 0.20528, 0.14919), (0.31111, 0.62567, 0.06322), (0.01947, 0.06087, 0.74457))
PROPHOTO = ((0.79767, 0.13519, 0.03134), (0.28804, 0.71188, 0.00009), (0.0, 0.0, 0.82491))
ADOBE_GAMMA, PROPHOTO_GAMMA = 563 / 256, 1.8
D50 = (0.9642, 1.0, 0.8249)
SPACES = {
    "Display P3": (P3, None),
    "Adobe RGB": (ADOBE, ADOBE_GAMMA),
    "ProPhoto": (PROPHOTO, PROPHOTO_GAMMA),
}
"""Primaries and gamma of each; None is the curve of sRGB."""


def rgb_profile(primaries: Sequence[Sequence[float]], gamma: float | None) -> bytes:
    """Three primaries and one curve."""
    columns = dict(zip(("rXYZ", "gXYZ", "bXYZ"), zip(*primaries, strict=True), strict=True))
    tags = {name: _xyz(column) for name, column in columns.items()}
    return _profile(b"RGB ", b"XYZ ", {**tags, **dict.fromkeys(("rTRC", "gTRC", "bTRC"), _curve(gamma))})


def grey_profile(gamma: float) -> bytes:
    """Black to white by a curve."""
    return _profile(b"GRAY", b"XYZ ", {"kTRC": _curve(gamma)})


def ink_profile() -> bytes:
    """Four inks, by a table of the corners: white paper, and pure black wherever there is any whole ink."""
    corners = b"".join(bytes((255 if node == 0 else 0, 128, 128)) for node in range(16))
    table = b"mft1" + bytes(4) + bytes((4, 3, 2, 0))
    table += b"".join(struct.pack(">l", 65536 * (i in (0, 4, 8))) for i in range(9))
    ramp = bytes(range(256))
    return _profile(b"CMYK", b"Lab ", {"A2B0": table + ramp * 4 + corners + ramp * 3}, kind=b"prtr")


def _profile(space: bytes, connection: bytes, tags: Mapping[str, bytes], kind: bytes = b"mntr") -> bytes:
    tags = {"wtpt": _xyz(D50), **tags}
    at, table, data = 128 + 4 + 12 * len(tags), struct.pack(">L", len(tags)), b""
    for name, content in tags.items():
        table += name.encode() + struct.pack(">LL", at + len(data), len(content))
        data += content + bytes(-len(content) % 4)
    head = struct.pack(">LLL4s4s4s", at + len(data), 0, 0x04200000, kind, space, connection)
    head += struct.pack(">6H", 2024, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    return head + _xyz(D50)[8:] + bytes(128 - 80) + table + data


def _xyz(values: Sequence[float]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3l", *(round(v * 65536) for v in values))


def _curve(gamma: float | None) -> bytes:
    if gamma is not None:
        return b"para" + bytes(4) + struct.pack(">HHl", 0, 0, round(gamma * 65536))
    numbers = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    return b"para" + bytes(4) + struct.pack(">HH5l", 3, 0, *(round(v * 65536) for v in numbers))


def light(levels: np.ndarray, gamma: float | None) -> np.ndarray:
    """Linear light in [0, 1] of levels in [0, 255]."""
    shares = levels / 255
    if gamma is not None:
        return shares**gamma
    return np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)


def level(light_of: np.ndarray, gamma: float | None = None) -> np.ndarray:
    """The reverse of `light`, what is outside cut off, unrounded."""
    share = np.clip(light_of, 0, 1)
    if gamma is not None:
        return 255 * share ** (1 / gamma)
    return 255 * np.where(share <= 0.0031308, share * 12.92, 1.055 * share ** (1 / 2.4) - 0.055)


def converted(
    levels: np.ndarray,
    source: tuple[Sequence[Sequence[float]], float | None],
    target: tuple[Sequence[Sequence[float]], float | None] = (SRGB, None),
) -> np.ndarray:
    """Levels of one space, shape (..., 3), in another, unrounded."""
    seen = light(np.asarray(levels, float), source[1]) @ np.array(source[0]).T
    return level(seen @ np.linalg.inv(np.array(target[0])).T, target[1])
