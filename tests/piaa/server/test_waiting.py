"""Photos that are being looked at: each once, so many at most, and of nobody who went away."""

from __future__ import annotations

import asyncio

import pytest

from piaa.server.problems import Problem
from piaa.server.waiting import Waiting


class Looks:
    """What looks at photos, each until it is let go on."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.cancelled: list[str] = []
        self.go_on = asyncio.Event()

    async def look(self, key: str, digest: str, content: bytes) -> str:
        self.begun.append(digest)
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled.append(digest)
            raise
        return f"{key} {digest} {content.decode()}"


async def begin(waiting: Waiting[str], key: str, digests: str) -> list[asyncio.Task[str]]:
    await waiting.room(key, digests)
    tasks = [asyncio.ensure_future(waiting.outcome(key, one, b"file")) for one in digests]
    await asyncio.sleep(0)
    return tasks


def test_a_photo_that_two_want_is_looked_at_once():
    async def run() -> None:
        looks = Looks()
        waiting = Waiting(8, looks.look)
        tasks = [*await begin(waiting, "ana", "a"), *await begin(waiting, "ben", "a")]
        await asyncio.sleep(0)
        assert looks.begun == ["a"]
        tasks[0].cancel()  # the other still waits for it
        await asyncio.sleep(0)
        looks.go_on.set()
        assert await tasks[1] == "ana a file"

    asyncio.run(run())


def test_of_nobody_who_went_away_anything_is_left():
    async def run() -> None:
        looks = Looks()
        waiting = Waiting(8, looks.look)
        tasks = await begin(waiting, "ana", "abcd")
        await asyncio.sleep(0)
        for one in tasks:
            one.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)
        assert looks.cancelled == list("abcd")
        await begin(waiting, "ana", "efgh")  # all of her places are free again
        waiting.stop()

    asyncio.run(run())


def test_half_of_the_places_are_for_others():
    async def run() -> None:
        looks = Looks()
        waiting = Waiting(8, looks.look)
        await begin(waiting, "ana", "abcd")
        with pytest.raises(Problem) as caught:
            await waiting.room("ana", "e")
        assert caught.value.detail == (
            "4 images wait already, 4 of them yours; at most 8 may, and 4 of one key; try again in a second"
        )
        await waiting.room("ana", "a")  # it is there already
        await begin(waiting, "ben", "efgh")
        with pytest.raises(Problem) as caught:
            await waiting.room("cleo", "i")
        assert caught.value.detail == (
            "8 images wait already, 0 of them yours; at most 8 may, and 4 of one key; try again in a second"
        )
        waiting.stop()

    asyncio.run(run())


def test_who_finds_no_room_is_taken_as_soon_as_there_is_some():
    async def run() -> None:
        looks = Looks()
        waiting = Waiting(8, looks.look)
        tasks = await begin(waiting, "ana", "abcd")
        late = asyncio.ensure_future(begin(waiting, "ana", "e"))
        await asyncio.sleep(0.3)
        assert not late.done()
        looks.go_on.set()
        await asyncio.gather(*tasks)
        (last,) = await late
        assert await last == "ana e file"

    asyncio.run(run())
