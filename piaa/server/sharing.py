"""What is sent to one server is known to the others before the answer: through the store.

A balancer may send a photo here, and the next request about it, by its hash, somewhere else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from generic.cache.contents import Content
from generic.cache.features import Features
from generic.errors import PiaaError
from piaa.store.sent import Sent, SentStore

_PATIENCE_S = 1.0
"""How long an answer waits for the store, in seconds."""
_LOG = logging.getLogger(__name__)


class Sharing:
    """Photos that a network has seen, on whichever server.

    Args:
        store: where servers find them; None shares nothing.
        network: the network's hash.
    """

    def __init__(self, store: SentStore | None, network: str) -> None:
        self._store, self._network = store, network
        self._waiting: list[Sent] = []
        self._writing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def keep(self, sent: Sequence[Sent]) -> None:
        """Share photos; requests that come while others' photos are written are one transaction.

        The store is asked first which it has: what it had may be withdrawn by now, or have gone to make room.

        If the store cannot be written to, this server goes on alone with them; while somebody else holds it
        for long, an answer does not wait.
        """
        if self._store is None or not sent:
            return
        lacking = await asyncio.to_thread(self._lacking, self._store, sent)
        if not lacking:
            return
        self._waiting += lacking
        task = asyncio.get_running_loop().create_task(self._write(self._store))
        self._tasks.add(task)  # the loop itself does not hold it
        task.add_done_callback(self._tasks.discard)
        await asyncio.wait({task}, timeout=_PATIENCE_S)

    async def stop(self) -> None:
        """Wait for what is being written."""
        await asyncio.gather(*self._tasks)

    async def _write(self, store: SentStore) -> None:
        async with self._writing:
            some, self._waiting = self._waiting, []
            if some:  # else the request before has taken these along
                await asyncio.to_thread(self._keep, store, some)

    def _lacking(self, store: SentStore, sent: Sequence[Sent]) -> Sequence[Sent]:
        try:
            return store.lacking(sent, self._network)
        except PiaaError:  # who writes says so
            return sent

    def _keep(self, store: SentStore, sent: Sequence[Sent]) -> None:
        try:
            store.keep(sent, self._network)
        except PiaaError as error:
            _LOG.warning("%d photos are known to this server alone: %s", len(sent), error)

    async def find(self, names: Sequence[str]) -> dict[str, tuple[Content, Features]]:
        """What files of these names hold, and what the network gave for it.

        Raises:
            StoreError: the store cannot be used: nobody is told then that a photo was never seen.
        """
        if self._store is None:
            return {}
        return await asyncio.to_thread(self._store.find, names, self._network)

    async def vector(self, picture: str) -> Features | None:
        """What the network gave for a picture, by its key; None if it has to be asked."""
        if self._store is None:
            return None
        try:
            return await asyncio.to_thread(self._store.vector, picture, self._network)
        except PiaaError:
            return None
