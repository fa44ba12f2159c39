"""Values remembered within a number of bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import Any

_ENTRY = 500
"""What Python itself takes for a remembered value: its key, objects around it; in bytes, roughly."""


class Recent:
    """The most recently used values within a number of bytes; may be used from several threads."""

    def __init__(self, n_bytes: int) -> None:
        self._limit, self._used = n_bytes, 0
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Any:  # noqa: ANN401  (linear forms, vectors or adapters)
        """The value, or None."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key][0]

    def get_all(self, keys: Iterable[Hashable]) -> dict[Any, Any]:
        """The values of those keys that have one."""
        with self._lock:
            found = {key: self._values[key][0] for key in keys if key in self._values}
            for key in found:
                self._values.move_to_end(key)
        return found

    def drop(self, keys: Iterable[Hashable]) -> None:
        """Forget these values."""
        with self._lock:
            for key in keys:
                self._used -= self._values.pop(key, (None, 0))[1]

    def put(self, key: Hashable, value: object, n_bytes: int) -> None:
        """Remember a value of this size; what was not used for longest goes."""
        n_bytes += _ENTRY
        with self._lock:
            self._used += n_bytes - self._values.pop(key, (None, 0))[1]
            self._values[key] = (value, n_bytes)
            while self._used > self._limit and len(self._values) > 1:
                self._used -= self._values.popitem(last=False)[1][1]
