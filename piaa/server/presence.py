"""Whether the client of a request is still there: for one that went away nothing more is done."""

from __future__ import annotations

import asyncio

from starlette.types import Receive


class Presence:
    """The client of one request.

    Args:
        receive: what it sends.
    """

    def __init__(self, receive: Receive) -> None:
        self.receive = receive
        self.complete = False
        """Whether all of the request has come."""
        self.answered = False
        """Whether an answer has begun: from there on it is too late to save anything."""
        self.gone = False
        """Whether the request was given up since its client went away."""
        self._watching: asyncio.Task[None] | None = None

    def watch(self) -> None:
        """The request is complete: from now on give it up, in this task, once its client is gone."""
        if self.complete:
            return
        self.complete = True
        asked = asyncio.current_task()
        assert asked is not None  # noqa: S101  (requests are tasks)
        self._watching = asyncio.get_running_loop().create_task(self._watch(asked))

    async def _watch(self, asked: asyncio.Task[object]) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass
        if not self.answered:
            self.gone = True
            asked.cancel()

    def end(self) -> None:
        """The request is at its end."""
        if self._watching is not None:
            self._watching.cancel()
