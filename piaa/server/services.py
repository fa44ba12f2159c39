"""What the routes work with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from piaa.people.model import Model
from piaa.server.embedder import Embedder
from piaa.server.fitting.fitter import Fitter
from piaa.server.mover import Mover
from piaa.server.readiness import Readiness
from piaa.server.scorers import Scorers
from piaa.server.served import Served
from piaa.server.settings import ServeSettings
from piaa.store.jobs import JobStore
from piaa.store.serving import ServingStore
from piaa.store.store import Store


@dataclass(kw_only=True)
class Services:
    """The parts of one server process."""

    settings: ServeSettings
    model: Model
    store: Store
    serving: ServingStore
    jobs: JobStore
    embedder: Embedder
    scorers: Scorers
    fitter: Fitter
    readiness: Readiness
    before: Served | None = None
    """The model of before, while people move from it."""
    mover: Mover | None = None
    warm: bool = False
    """Whether the network is built."""

    @cached_property
    def served(self) -> list[Served]:
        """The model of now, and that of before if there is one."""
        now = Served(model=self.model, embedder=self.embedder, scorers=self.scorers)
        return [now] if self.before is None else [now, self.before]

    @cached_property
    def models(self) -> list[Model]:
        """Likewise."""
        return [one.model for one in self.served]

    @cached_property
    def hashes(self) -> list[str]:
        """Likewise."""
        return [one.hash for one in self.served]
