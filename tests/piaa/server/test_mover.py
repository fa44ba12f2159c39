"""Who was to be moved while the store was away is moved once it is back."""

from __future__ import annotations

import time
from types import SimpleNamespace

from generic.cache.features import FeatureCache
from generic.errors import StoreUnavailable
from piaa.server.mover import Mover


class Serving:
    """Ana can be moved, unless she was tried."""

    def ready_to_move(self, now, before, tried):  # noqa: ARG002
        return [("ana", "generic")] if "ana" not in tried else []


class AwayOnce:
    """Fits of a store that is away at the first question."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def n_waiting(self) -> int:
        return 0

    def enqueue(self, user: str, adapter: str) -> None:  # noqa: ARG002
        self.asked.append(user)
        if len(self.asked) == 1:
            raise StoreUnavailable("store 'piaa.db' cannot be used now: it is busy; try again later")


def test_who_could_not_be_asked_for_is_asked_for_again():
    models = [
        SimpleNamespace(generic=SimpleNamespace(hash=one, network_hash=one), prior=None) for one in ("1", "2")
    ]
    jobs, fitter = AwayOnce(), SimpleNamespace(wake=lambda: None)
    mover = Mover(Serving(), jobs, fitter, models, FeatureCache(None))
    mover.start()
    end = time.monotonic() + 30
    while len(jobs.asked) < 2:
        assert time.monotonic() < end
        mover.wake()
        time.sleep(0.05)
    mover.wake()
    mover.stop()
    assert jobs.asked == ["ana", "ana"]
