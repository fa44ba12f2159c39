"""When keys were used last, noted seldom and beside the requests: nobody waits for it."""

from __future__ import annotations

import asyncio
import datetime
import logging
import time

from generic.errors import PiaaError
from piaa.store.clock import written
from piaa.store.keys import Key, KeyStore

_EVERY_S = 3600
_REMEMBERED = 10_000
_LOG = logging.getLogger(__name__)


class Uses:
    """Notes uses of keys, each at most once an hour.

    Args:
        keys: where they are noted.
    """

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys
        self._noted: dict[str, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def note(self, key: Key) -> None:
        """A key is used now."""
        now = time.monotonic()
        if now - self._noted.get(key.id, -_EVERY_S) < _EVERY_S:
            return
        if len(self._noted) >= _REMEMBERED:
            self._noted.clear()  # the store knows too
        self._noted[key.id] = now  # whether it comes to be noted or not: a full disk is asked seldom as well
        lately = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=_EVERY_S)
        if key.last_used is None or key.last_used < written(lately):  # else by another server
            task = asyncio.get_running_loop().create_task(self._note(key.id))
            self._tasks.add(task)  # the loop itself does not hold it
            task.add_done_callback(self._tasks.discard)

    async def _note(self, key: str) -> None:
        try:
            await asyncio.to_thread(self._keys.note_use, key)
        except PiaaError as error:
            _LOG.warning("the use of key %s is not noted: %s", key, error)
