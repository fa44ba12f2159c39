"""What the routes work with."""

from __future__ import annotations

from dataclasses import dataclass

from generic.model.generic_model import GenericModel
from piaa.server.embedder import Embedder
from piaa.server.fitter import Fitter
from piaa.server.scorers import Scorers
from piaa.server.settings import ServeSettings
from piaa.store.serving import ServiceStore


@dataclass(kw_only=True)
class Services:
    """The parts of one server process."""

    settings: ServeSettings
    model: GenericModel
    store: ServiceStore
    embedder: Embedder
    scorers: Scorers
    fitter: Fitter
    warm: bool = False
    """Whether the network is built."""
