"""The format of what adapters store, so that an older piaa's state is refused and not misread."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from generic.errors import StoreError

FORMAT = 3
"""2 kept what follows from the support as well. 1, without a number, was that of adapters that did not
remember their support, and of network adapters whose intervals rested on errors that were not held out."""
_OLDEST = 2
VERSION = "format"
"""Key of the number in a state."""


def check_format(state: Mapping[str, NDArray[Any]], name: str) -> None:
    """Make sure that this piaa reads states of this format.

    Raises:
        StoreError: an older or a newer piaa saved it.
    """
    found = int(state[VERSION].item()) if VERSION in state else 1
    if found < _OLDEST:
        raise StoreError(
            f"adapter {name!r} was saved by an older piaa (state format {found}, this piaa reads "
            f"{_OLDEST} to {FORMAT}); "
            "learn her again from what she said: piaa fit-user --user NAME"
        )
    if found > FORMAT:
        raise StoreError(
            f"adapter {name!r} was saved by a newer piaa (state format {found}, this piaa reads "
            f"{_OLDEST} to {FORMAT}); "
            "upgrade piaa: pip install --upgrade piaa"
        )
