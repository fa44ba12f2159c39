"""Whether the store answers is asked once a second, however often somebody wants to know."""

from __future__ import annotations

import asyncio
import threading

import pytest

from generic.errors import StoreUnavailable
from piaa.server import readiness
from piaa.server.readiness import Readiness


def test_many_at_once_are_one_question():
    asked, go = [], threading.Event()

    def ask() -> None:
        asked.append(1)
        go.wait(10)

    async def main() -> None:
        one = Readiness(ask)
        waiting = [asyncio.create_task(one.check()) for _ in range(50)]
        await asyncio.sleep(0.1)
        waiting[0].cancel()  # whoever goes away takes the answer from nobody
        go.set()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert results[1:] == [None] * 49
        await one.check()

    asyncio.run(main())
    assert len(asked) == 1


def test_after_a_while_it_is_asked_anew(monkeypatch):
    answers = [StoreUnavailable("away"), None]

    def ask() -> None:
        if (answer := answers.pop(0)) is not None:
            raise answer

    async def main() -> None:
        one = Readiness(ask)
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                await one.check()
        monkeypatch.setattr(readiness, "_HOLDS_S", 0.0)
        await one.check()

    asyncio.run(main())
    assert answers == []
