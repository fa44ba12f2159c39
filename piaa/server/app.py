"""The application: what is behind which path."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from fastapi import APIRouter, FastAPI, Request, Response

import piaa
from generic.cache.features import FeatureCache
from generic.model.generic_model import GenericModel
from piaa.adapters.prior import Prior
from piaa.people.model import Model
from piaa.server import people, problems, scoring, telemetry
from piaa.server.embedder import Embedder
from piaa.server.fitter import Fitter
from piaa.server.gate import Caller, Gate
from piaa.server.schemas import Health, ModelInfo, Problems
from piaa.server.scorers import Scorers
from piaa.server.services import Services
from piaa.server.settings import VARIABLE, ServeSettings
from piaa.store.database import StoreDatabase
from piaa.store.keys import KeyStore
from piaa.store.serving import ServiceStore

operation = APIRouter(tags=["operation"])


@operation.get("/health")
async def health() -> Health:
    """The process answers."""
    return Health(status="ok")


@operation.get("/ready", responses={503: Problems})
async def ready(request: Request) -> Health:
    """The network is built and the store answers."""
    services = cast("Services", request.app.state.services)
    if not services.warm:
        raise problems.Problem(503, "the network is not built yet; try again in a second", retry_after_s=1)
    await asyncio.to_thread(services.store.n_waiting)
    return Health(status="ready")


@operation.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def prometheus(request: Request) -> Response:
    """Prometheus' metrics; needs an admin's key."""
    cast("Caller", request.state.caller).check_admin()
    return Response(telemetry.exposition(), media_type="text/plain; version=0.0.4")


@operation.get("/v1/models")
async def models(request: Request) -> list[ModelInfo]:
    """The model that scores here."""
    model = cast("Services", request.app.state.services).model
    low, high = model.header.scale
    return [ModelInfo(name=model.name, hash=model.hash, scale=(low, high))]


def create_app(settings: ServeSettings) -> FastAPI:
    """The application, with its store open.

    Raises:
        PiaaError: the store or the model cannot be used.
    """
    loaded: Model = piaa.load_model(settings.model, cache=False)
    store = ServiceStore(StoreDatabase(settings.store))
    cache = FeatureCache.open(None if settings.cache is None else Path(settings.cache))
    services = _services(settings, loaded.generic, loaded.prior, store, cache)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:  # noqa: ARG001
        services.fitter.start()
        await services.embedder.warm_up()
        services.warm = True
        yield
        # Uvicorn has waited for the requests in flight by now.
        await asyncio.to_thread(services.fitter.stop)
        await services.embedder.stop()
        cache.close()
        store.database.close()

    app = FastAPI(
        title="piaa",
        version=piaa.__version__,
        description=(piaa.__doc__ or "").partition("\n")[0],
        lifespan=lifespan,
        redoc_url=None,
    )
    app.state.services = services
    problems.add_to(app)
    for router in (operation, scoring.router, people.router):
        app.include_router(router)
    app.add_middleware(Gate, keys=KeyStore(store.database), settings=settings)
    return app


def _services(
    settings: ServeSettings,
    model: GenericModel,
    prior: Prior | None,
    store: ServiceStore,
    cache: FeatureCache,
) -> Services:
    return Services(
        settings=settings,
        model=model,
        store=store,
        embedder=Embedder(model, cache, settings),
        scorers=Scorers(store, model, prior),
        fitter=Fitter(store, model, prior),
    )


def from_environment() -> FastAPI:
    """The application of a worker process."""
    import json

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    return create_app(ServeSettings(**json.loads(os.environ[VARIABLE])))
