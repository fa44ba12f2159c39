"""Processes that decode: one that is no longer what it should be serves nobody."""

from __future__ import annotations

import asyncio
import io
import os
import signal
from collections.abc import Awaitable, Callable

import numpy as np
import pytest
from PIL import Image

from generic.errors import ImageError
from piaa.server.decoding.decoders import Decoders
from piaa.server.decoding.process import Limits

LIMITS = Limits(size=8, fit="squash", max_pixels=10_000, seconds=60, memory=2**30)
WAIT_S = 120.0


def photo(grey: int) -> bytes:
    out = io.BytesIO()
    Image.new("L", (16, 16), grey).convert("RGB").save(out, "PNG")
    return out.getvalue()


def with_one(steps: Callable[[Decoders], Awaitable[None]]) -> None:
    """Do something with one process that decodes."""

    async def run() -> None:
        decoders = Decoders(1, LIMITS)
        await decoders.start()
        try:
            async with asyncio.timeout(WAIT_S):
                await steps(decoders)
        finally:
            decoders.stop()

    asyncio.run(run())


async def decoded(decoders: Decoders, content: bytes) -> np.ndarray:
    async with decoders.one("key") as process:
        await process.see("x.png", content)
        return await process.decode("x.png")


async def interrupted(decoders: Decoders) -> None:
    async with decoders.one("key") as process:
        await process.see("x.png", photo(1))
        raise OSError("disk")


async def pid(decoders: Decoders) -> int:
    async with decoders.one("key") as process:
        return process.pid


def test_a_process_left_in_the_middle_of_a_photo_does_not_take_the_next():
    async def steps(decoders: Decoders) -> None:
        with pytest.raises(OSError, match="disk"):
            await interrupted(decoders)
        assert (await decoded(decoders, photo(200)) == 200).all()

    with_one(steps)


def test_a_process_that_said_that_a_photo_is_bad_takes_the_next():
    async def steps(decoders: Decoders) -> None:
        before = await pid(decoders)
        with pytest.raises(ImageError, match="not an image"):
            await decoded(decoders, b"no photo")
        assert await pid(decoders) == before

    with_one(steps)


def test_a_photo_is_not_given_to_a_process_that_was_ended_while_it_waited():
    async def steps(decoders: Decoders) -> None:
        async with decoders.one("key") as process:
            ended = process
        os.kill(ended.pid, signal.SIGKILL)
        while ended.alive():
            await asyncio.sleep(0.01)
        assert (await decoded(decoders, photo(100)) == 100).all()

    with_one(steps)
