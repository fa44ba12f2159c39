"""``/v1/users/{id}/fit`` and ``/v1/jobs``: fits in the background."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from piaa.adapters.registry import DEFAULT
from piaa.people.learn import check_vectors
from piaa.server.fitting.work import check_adapter, fitted_here
from piaa.server.paths import UserId
from piaa.server.problems import Problem
from piaa.server.schemas import ERRORS, JobInfo
from piaa.server.scoring import of
from piaa.server.served import said_under
from piaa.store.records import check_user

Adapter = Annotated[
    str,
    Query(max_length=50, description="How to learn.", json_schema_extra={"enum": fitted_here()}),
]
router = APIRouter(prefix="/v1", tags=["users"], responses=ERRORS)


@router.post("/users/{id}/fit", status_code=202)
async def fit(request: Request, user: UserId, adapter: Adapter = DEFAULT) -> JobInfo:
    """Learn the user from all that she said, in the background; follow the job at /v1/jobs/{id}."""
    services, caller = of(request)
    check_user(user)
    caller.check_user(user, "rate")
    check_adapter(services.model, adapter)
    if await asyncio.to_thread(services.jobs.n_waiting) >= services.settings.max_fits:
        raise Problem(
            503, f"{services.settings.max_fits} fits wait already; try again later", retry_after_s=5
        )
    model, said = await asyncio.to_thread(said_under, services.store, services.models, user)
    check_vectors(model, user, said)
    if services.settings.max_user_bytes:
        await asyncio.to_thread(services.store.check_quota, user, services.settings.quota)
    job = await asyncio.to_thread(services.jobs.enqueue, user, adapter)
    services.fitter.wake()
    return JobInfo(**job.__dict__)


@router.get("/jobs/{id}")
async def job_of(
    request: Request, job: Annotated[str, Path(alias="id", pattern="^[0-9a-f]{32}$")]
) -> JobInfo:
    """How a fit stands."""
    services, caller = of(request)
    caller.check("rate")
    found = await asyncio.to_thread(services.jobs.job, job)
    # Another user's job must look like none, or ids could be tried out.
    if found is None or caller.user not in (None, found.user):
        raise Problem(404, f"there is no job {job!r}; ask for a fit first")
    return JobInfo(**found.__dict__)
