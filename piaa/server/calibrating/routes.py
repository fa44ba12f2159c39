"""``/v1/calibration``: a model is made of what the people of this server rated, beside the one served."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from piaa.server.calibrating.process import Calibrations
from piaa.server.gate import Caller
from piaa.server.problems import Problem
from piaa.server.schemas import ERRORS
from piaa.server.scoring import of
from piaa.store.audit import add_entry

router = APIRouter(prefix="/v1", tags=["operation"], responses=ERRORS)


class CalibrationInfo(BaseModel):
    """How a calibration stands, or what came of the last one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: Literal["none", "running", "done", "failed"]
    error: Annotated[str | None, Field(description="Why it failed.")] = None
    words: Annotated[str | None, Field(description="The result as `piaa calibrate` prints it.")] = None
    calibrated: Annotated[bool | None, Field(description="Whether others gain, and a file was written.")] = (
        None
    )
    file: Annotated[str | None, Field(description="The file, on the server.")] = None
    hash: str | None = None
    gain: Annotated[float | None, Field(description="In SRCC, at 10 ratings.")] = None
    interval: Annotated[list[float] | None, Field(description="95 %, over people and photos.")] = None
    tested_people: int | None = None
    people: int | None = None
    photos: int | None = None
    photos_left_out: Annotated[int | None, Field(description="Of which there is no vector.")] = None
    ratings: int | None = None
    not_counted: Annotated[int | None, Field(description="People who agree with nobody.")] = None
    shares: dict[str, Any] | None = None


@router.post("/calibration", status_code=202)
async def calibrate(request: Request) -> CalibrationInfo:
    """Calibrate the plain model from all that people here rated, in the background; needs an admin's key."""
    known = _calibrations(request)
    if not await asyncio.to_thread(known.start):
        raise Problem(409, "a calibration is being made already; ask for it with GET /v1/calibration")
    services, caller = of(request)
    await asyncio.to_thread(add_entry, services.store.database, caller.who, "calibrate")
    return CalibrationInfo(state="running")


@router.get("/calibration")
async def calibration(request: Request) -> CalibrationInfo:
    """How it stands; needs an admin's key."""
    return CalibrationInfo(**await asyncio.to_thread(_calibrations(request).state))


def _calibrations(request: Request) -> Calibrations:
    cast("Caller", request.state.caller).check("admin")
    known = cast("Calibrations | None", request.app.state.calibrations)
    if known is None:
        raise Problem(501, "this server makes no models; start it with --calibrations DIR")
    return known
