"""Memory that the C library keeps although nobody uses it."""

from __future__ import annotations

import ctypes
import os


def give_back() -> bool:
    """Return free memory of all threads to the system; does nothing where the C library is not glibc.

    Vectors that are remembered come to lie between the network's buffers, so that glibc cannot give back by
    itself what is free between them: of 500 MB that the network's thread had after 6,000 photos, 300 MB were.

    Returns:
        whether there was something to return.
    """
    if "CS_GNU_LIBC_VERSION" not in getattr(os, "confstr_names", {}):
        return False
    return bool(ctypes.CDLL(None).malloc_trim(0))
