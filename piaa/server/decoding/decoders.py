"""The processes that decode: a few that wait, and a new one in the place of each that was ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from generic.errors import ImageError, PiaaError
from piaa.server.decoding.process import Limits, PhotoProcess
from piaa.server.decoding.turns import Turns

_AGAIN_S = 1.0
_LOG = logging.getLogger(__name__)


class Decoders:
    """So many processes, in fair turns.

    Args:
        n: how many. A key has half of them at most, so that a photo of somebody else need not wait for its.
        limits: of each photo.
    """

    def __init__(self, n: int, limits: Limits) -> None:
        self._n, self._limits = n, limits
        self._turns = Turns(n, max(1, n // 2))
        self._idle: asyncio.Queue[PhotoProcess] = asyncio.Queue()
        self._all: set[PhotoProcess] = set()
        self._starting: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Start all of them.

        Raises:
            PiaaError: they cannot be started.
        """
        for process in await asyncio.gather(*(PhotoProcess.start(self._limits) for _ in range(self._n))):
            self._add(process)

    def stop(self) -> None:
        """End all of them, whatever they do."""
        for task in self._starting:
            task.cancel()
        while self._all:
            self._all.pop().end()

    @asynccontextmanager
    async def one(self, key: str) -> AsyncIterator[PhotoProcess]:
        """A process for one photo. One that is left in the middle of it, or ended of it, is replaced.

        Args:
            key: who asks.
        """
        async with self._turns.turn(key):
            process = await self._ready()
            try:
                yield process
            except BaseException as error:
                # What it says of a photo is an answer. Whatever else happened left it in the middle of one,
                # and its words on this photo would be taken for those on the next.
                if isinstance(error, ImageError) and process.alive():
                    self._idle.put_nowait(process)
                else:
                    self._replace(process)
                raise
            self._idle.put_nowait(process)

    async def _ready(self) -> PhotoProcess:
        """One that lives; the system may have ended another while it waited."""
        while not (process := await self._idle.get()).alive():
            self._replace(process)
        return process

    def _add(self, process: PhotoProcess) -> None:
        self._all.add(process)
        self._idle.put_nowait(process)

    def _replace(self, process: PhotoProcess) -> None:
        if process not in self._all:  # everything stops
            return
        self._all.remove(process)
        process.end()
        task = asyncio.get_running_loop().create_task(self._restart())
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    async def _restart(self) -> None:
        while True:
            try:
                self._add(await PhotoProcess.start(self._limits))
                return
            except PiaaError as error:  # no process to be had just now
                _LOG.warning("%s", error)
                await asyncio.sleep(_AGAIN_S)
