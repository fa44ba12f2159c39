"""Turns are fair: whoever asks for much does not keep the others waiting."""

from __future__ import annotations

import asyncio

from piaa.server.decoding.turns import Turns


async def take(turns: Turns, key: str, order: list[str], seconds: float = 0.0) -> None:
    async with turns.turn(key):
        order.append(key)
        await asyncio.sleep(seconds)


def test_a_key_that_comes_late_does_not_wait_for_all_of_another():
    async def run() -> list[str]:
        turns, order = Turns(1, 1), []
        async with asyncio.TaskGroup() as group:
            for _ in range(10):
                group.create_task(take(turns, "many", order, 0.01))
            await asyncio.sleep(0.015)
            group.create_task(take(turns, "one", order, 0.01))
        return order

    assert asyncio.run(run()).index("one") <= 3


def test_half_of_the_places_are_for_others():
    async def run() -> list[str]:
        turns, order = Turns(4, 2), []
        slow = [asyncio.create_task(take(turns, "slow", order, 60)) for _ in range(5)]
        await asyncio.sleep(0)
        async with asyncio.timeout(60):
            await asyncio.gather(*(take(turns, "quick", order) for _ in range(20)))
        for one in slow:
            one.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        assert turns.n_waiting() == 0
        return order

    order = asyncio.run(run())
    assert (order.count("slow"), order.count("quick")) == (2, 20)


def test_who_is_cancelled_gives_the_place_back():
    async def run() -> None:
        turns, order = Turns(1, 1), []
        first = asyncio.create_task(take(turns, "a", order, 60))
        await asyncio.sleep(0)
        waiting = [asyncio.create_task(take(turns, key, order, 60)) for key in "abab"]
        await asyncio.sleep(0)
        for one in (*waiting, first):  # waiting, chosen and going on
            one.cancel()
        async with asyncio.timeout(60):
            await take(turns, "c", order)
        assert order[-1] == "c"

    asyncio.run(run())
