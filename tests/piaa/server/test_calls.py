"""Which images share a call of the network, and what a call gives."""

from __future__ import annotations

import asyncio
import dataclasses

import numpy as np
import pytest

from generic.cache.features import FeatureCache
from generic.model.generic_model import BATCH, GenericModel
from generic.photos.open import load_pixels
from piaa.server.calls import Calls
from piaa.server.embedder import Embedder
from piaa.server.settings import ServeSettings

WAIT_S = 0.05
PIXELS = np.zeros((1, 1, 3), np.uint8)


@pytest.fixture
def calls() -> Calls:
    """Of a network that is as quick an image with 4 as with 8, and slower with 16."""
    one = Calls(None, WAIT_S)
    one._seconds = {4: 0.4, 8: 0.8, BATCH: 2.0}
    return one


def added(calls: Calls, *digests: str) -> None:
    for digest in digests:
        calls.expect()
        calls.add(digest, PIXELS)


def following(calls: Calls) -> tuple[str, float]:
    """The digests of the next call, and after how many seconds it starts."""

    async def run() -> tuple[str, float]:
        loop = asyncio.get_running_loop()
        started = loop.time()
        call = await asyncio.wait_for(calls.next(), 5)
        return "".join(digest for digest, _ in call), loop.time() - started

    return asyncio.run(run())


def test_a_full_call_starts_at_once_and_the_rest_is_first_in_the_next(calls):
    added(calls, *"abcdefghij")
    assert [following(calls)[0] for _ in range(2)] == ["abcd", "efgh"]
    calls._wait_s = 100
    added(calls, *"kl")
    assert following(calls)[0] == "ijkl"


def test_a_call_that_is_not_full_waits_for_more_and_then_starts(calls):
    added(calls, "a")
    digests, seconds = following(calls)
    assert digests == "a"
    assert WAIT_S <= seconds < 10 * WAIT_S


def test_images_that_are_being_decoded_are_waited_for(calls):
    async def run() -> list[str]:
        added(calls, "a")
        for _ in range(3):
            calls.expect()
        asyncio.get_running_loop().call_later(2 * WAIT_S, calls.add, "b", PIXELS)
        # One cannot be read: nobody waits for it any longer.
        asyncio.get_running_loop().call_later(3 * WAIT_S, calls.give_up)
        asyncio.get_running_loop().call_later(4 * WAIT_S, calls.add, "c", PIXELS)
        return [digest for digest, _ in await calls.next()]

    assert asyncio.run(run()) == ["a", "b", "c"]


def test_an_image_that_takes_long_to_decode_does_not_hold_up_the_others(calls):
    calls.expect()
    added(calls, "a")
    digests, seconds = following(calls)
    assert digests == "a"
    assert 10 * WAIT_S <= seconds < 3


def test_every_size_that_is_used_gives_the_vectors_of_a_full_call(tiny_model, album, names):
    model = GenericModel(tiny_model)
    calls = Calls(model, 0)
    calls.choose_sizes()
    assert max(calls._seconds) == BATCH
    assert all(seconds > 0 for seconds in calls._seconds.values())
    pixels = np.stack([load_pixels(album / name, model.size) for name in names[:10]])
    full = model.forward(pixels)
    for n in (1, 4, 5, 10):
        np.testing.assert_array_equal(calls.forward(pixels[:n]), full[:n])


def test_photos_are_fitted_as_the_model_asks(tiny_model, album, names, tmp_path):
    model = GenericModel(tiny_model)
    model.header = dataclasses.replace(model.header, architecture={**model.header.architecture, "fit": "pad"})
    embedder = Embedder(model, FeatureCache.open(tmp_path), ServeSettings(store="unused"))
    content = (album / names[0]).read_bytes()
    got = asyncio.run(embedder.pixels(names[0], content))
    np.testing.assert_array_equal(got, load_pixels(album / names[0], model.size, fit="pad"))
    assert not np.array_equal(got, load_pixels(album / names[0], model.size))
