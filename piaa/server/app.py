"""The application: what is behind which path."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from fastapi import APIRouter, FastAPI, Request, Response

import piaa
from generic.cache.features import FeatureCache
from generic.threads import one_blas_thread
from piaa.people.model import Model
from piaa.server import fits, keys, people, problems, said, scoring, telemetry
from piaa.server.calibrating import routes as calibrating
from piaa.server.calibrating.process import CalibrationOptions, Calibrations
from piaa.server.counts import SharedCounts
from piaa.server.described import describe
from piaa.server.embedder import Embedder
from piaa.server.fitting.fitter import Fitter
from piaa.server.fitting.process import FitOptions, FitProcess
from piaa.server.gate import Caller, Gate
from piaa.server.mover import Mover
from piaa.server.quick import Quick
from piaa.server.readiness import Readiness
from piaa.server.schemas import ERRORS, Health, ModelInfo, Problems
from piaa.server.scorers import Scorers
from piaa.server.served import Served
from piaa.server.services import Services
from piaa.server.settings import ServeSettings
from piaa.server.tidier import Tidier
from piaa.store.jobs import JobStore
from piaa.store.keys import KeyStore
from piaa.store.place import open_database
from piaa.store.request_counts import CountStore
from piaa.store.sent import SentStore
from piaa.store.serving import ServingStore
from piaa.store.store import Store
from piaa.store.tidying import TidyStore

_CONNECTIONS = 8
"""To the store, for each server process."""
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
    await services.readiness.check()
    return Health(status="ready")


@operation.get(
    "/metrics", response_class=Response, responses={**ERRORS, 200: {"content": {"text/plain": {}}}}
)
async def prometheus(request: Request) -> Response:
    """Prometheus' metrics; needs a key with the scope metrics."""
    cast("Caller", request.state.caller).check("metrics")
    services = cast("Services", request.app.state.services)
    telemetry.OLDEST.set(await asyncio.to_thread(services.jobs.waiting_s))
    if services.mover is not None:
        telemetry.LEFT.set(await asyncio.to_thread(services.mover.n_left))
    return Response(telemetry.exposition(), media_type="text/plain; version=0.0.4")


@operation.get("/v1/models", responses=ERRORS)
async def models(request: Request) -> list[ModelInfo]:
    """The models that score here: the one of now, and while people move to it the one of before."""
    cast("Caller", request.state.caller).check("score", "rate", "admin")
    found = [one.generic for one in cast("Services", request.app.state.services).models]
    return [ModelInfo(name=one.name, hash=one.hash, scale=one.header.scale) for one in found]


def create_app(settings: ServeSettings) -> FastAPI:
    """The application, with its store open.

    Raises:
        PiaaError: the store or the model cannot be used.
    """
    model: Model = piaa.load_model(settings.model, cache=False)
    database = open_database(settings.store, connections=_CONNECTIONS)
    cache = FeatureCache.open(None if settings.cache is None else Path(settings.cache))
    fits_apart = FitProcess(
        FitOptions(
            store=settings.store,
            model=settings.model,
            before=settings.before,
            seconds=settings.fit_seconds,
            memory=settings.fit_memory,
        )
    )
    services = _services(settings, model, Store(database=database), cache, fits_apart)
    counts = SharedCounts(CountStore(database))
    tidier = Tidier(TidyStore(database), settings.retention)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:  # noqa: ARG001
        with one_blas_thread():
            counts.start()
            tidier.start()
            services.fitter.start()
            for one in services.served:
                await one.embedder.warm_up()
            if services.mover is not None:
                services.mover.start()
            gc.freeze()  # what stays for good need not be looked through again for every large answer
            services.warm = True
            yield
            # Uvicorn has waited for the requests in flight by now.
            if services.mover is not None:
                await asyncio.to_thread(services.mover.stop)
            fits_apart.stop()  # the fit at hand waits in the store for the next server
            await asyncio.to_thread(services.fitter.stop)
            fits_apart.close()
            await asyncio.to_thread(counts.stop)
            await asyncio.to_thread(tidier.stop)
        for one in services.served:
            await one.embedder.stop()
        cache.close()
        database.close()

    app = FastAPI(
        title="piaa",
        version=piaa.__version__,
        description=(piaa.__doc__ or "").partition("\n")[0],
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        # It would send whoever leaves a slash too many to the host that the request names.
        redirect_slashes=False,
    )
    app.state.services, app.state.calibrations = services, _calibrations(settings)
    app.state.keys = KeyStore(database)
    problems.add_to(app, database.name)
    for one in (scoring, said, fits, people, keys, calibrating):
        app.include_router(one.router)
    app.include_router(operation)
    describe(app, keys=settings.keys)
    app.add_middleware(Quick, services=services)
    app.add_middleware(Gate, keys=app.state.keys, counts=counts, settings=settings)
    return app


def _services(
    settings: ServeSettings, model: Model, store: Store, cache: FeatureCache, fits: FitProcess
) -> Services:
    jobs, serving = JobStore(store.database), ServingStore(store.database)
    sent = SentStore(store.database) if settings.share_vectors else None
    services = Services(
        settings=settings,
        model=model,
        store=store,
        serving=serving,
        jobs=jobs,
        embedder=Embedder(model.generic, cache, settings, sent),
        scorers=Scorers(store, model),
        fitter=Fitter(jobs, fits),
        readiness=Readiness(jobs.n_waiting),
    )
    if settings.before is not None:
        old: Model = piaa.load_model(settings.before, cache=False)
        services.before = Served(
            model=old, embedder=Embedder(old.generic, cache, settings, sent), scorers=Scorers(store, old)
        )
        services.mover = Mover(serving, jobs, services.fitter, [model, old], cache)
    return services


def _calibrations(settings: ServeSettings) -> Calibrations | None:
    if settings.calibrations is None:
        return None
    return Calibrations(
        CalibrationOptions(
            store=settings.store,
            model=settings.plain or settings.model,
            folder=settings.calibrations,
            cache=settings.cache,
        )
    )


def from_environment() -> FastAPI:
    """The application of a worker process."""
    logging.captureWarnings(True)  # into the log, whose lines all have one form
    return create_app(ServeSettings.from_environment())
