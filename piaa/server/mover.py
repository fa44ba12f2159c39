"""People move to the model of now: each is learned again as soon as it has vectors of all that she rated.

The version of the model of before answers until then. Vectors come as photos are sent again, or at once where
both models have one network.
"""

from __future__ import annotations

from collections.abc import Sequence

from generic.cache.features import FeatureCache
from generic.errors import PiaaError, StoreUnavailable
from piaa.people.model import Model
from piaa.server.at_hand import carry_over
from piaa.server.fitting.fitter import Fitter
from piaa.server.fitting.work import check_adapter
from piaa.server.problems import Problem
from piaa.server.repeated import Repeated
from piaa.store.jobs import JobStore
from piaa.store.serving import ServingStore

_AT_ONCE = 20
"""Fits that wait for the sake of moving: those that somebody asked for come between them."""
_SOON_S, _LATER_S = 1.0, 30.0


class Mover:
    """One thread that asks for the fits.

    Args:
        serving: who is there.
        jobs: where fits are asked for.
        fitter: does them.
        models: the one of now, and that of before.
        cache: of photos.
    """

    def __init__(
        self,
        serving: ServingStore,
        jobs: JobStore,
        fitter: Fitter,
        models: Sequence[Model],
        cache: FeatureCache,
    ) -> None:
        self._serving, self._jobs, self._fitter = serving, jobs, fitter
        self._now, self._before = models
        self._cache, self._carried = cache, False
        self._tried: set[str] = set()
        self._thread = Repeated("piaa-move", self._turn, "moving people pauses", spacing_s=_SOON_S)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """There are new vectors; one question is asked for many."""
        self._thread.wake()

    def stop(self) -> None:
        """End."""
        self._thread.stop()

    def n_left(self) -> int:
        """How many people are still learned under the model of before alone."""
        return self._serving.n_left(self._now.generic.hash, self._before.generic.hash)

    def _turn(self) -> float:
        self._carry_over()
        return 0.0 if self._ask() else _LATER_S

    def _carry_over(self) -> None:
        """Once: photos that were sent meanwhile are kept as they come."""
        if not self._carried:
            carry_over(self._serving, self._now.generic, self._before.generic, self._cache)
            self._carried = True

    def _ask(self) -> int:
        """Ask for some fits; how many there were to ask for."""
        room = _AT_ONCE - self._jobs.n_waiting()
        if room <= 0:
            return 1
        ready = self._serving.ready_to_move(self._now.generic.hash, self._before.generic.hash, self._tried)
        for user, adapter in ready[:room]:
            try:
                check_adapter(self._now, adapter)
                self._jobs.enqueue(user, adapter)
            except StoreUnavailable:  # for a moment; she is asked about again
                raise
            except (Problem, PiaaError):  # one that is learned from photos, which a server has not
                pass
            self._tried.add(user)
        self._fitter.wake()
        return len(ready)
