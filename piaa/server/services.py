"""What the routes work with."""

from __future__ import annotations

from dataclasses import dataclass

from piaa.people.model import Model
from piaa.server.embedder import Embedder
from piaa.server.fitting.fitter import Fitter
from piaa.server.scorers import Scorers
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
    warm: bool = False
    """Whether the network is built."""
