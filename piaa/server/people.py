"""``/v1/users`` and ``/v1/jobs``: ratings, fits, versions, export, erasure."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, TypeVar, cast

import numpy as np
from fastapi import APIRouter, Body, File, Form, Path, Query, Request, UploadFile
from pydantic import TypeAdapter, ValidationError

from generic.errors import ImageError, UnknownUser
from piaa.adapters.registry import DEFAULT
from piaa.people.suggest import knowledge
from piaa.people.suggest import suggest as pick
from piaa.ratings.scale import Scale
from piaa.server.problems import Problem
from piaa.server.schemas import (
    ERRORS,
    GivenRating,
    ImageResult,
    JobInfo,
    Rated,
    Rating,
    Suggestion,
    UserExport,
    UserInfo,
    UserLine,
    UserPage,
    VersionInfo,
)
from piaa.server.scoring import check_count, embed, of
from piaa.server.services import Services
from piaa.store.adapter_store import AdapterStore
from piaa.store.records import VersionSummary, check_user
from piaa.store.serving import Given
from piaa.store.user_file import user_content

if TYPE_CHECKING:
    from generic.cache.features import Features
    from piaa.adapters.prior import Prior

T = TypeVar("T")
router = APIRouter(prefix="/v1", tags=["users"], responses=ERRORS)
UserId = Annotated[str, Path(alias="id", description="The user's name.", max_length=200, examples=["ana"])]
_RATINGS = TypeAdapter(list[Rating])
_MOST_RATINGS = 1000
_LARGEST = 2**31 - 1


@router.post("/users/{id}/ratings")
async def rate(
    request: Request,
    user: UserId,
    ratings: Annotated[
        str,
        Form(
            description="A JSON list of ratings.",
            examples=['[{"image": "beach.jpg", "score": 5}]'],
        ),
    ],
    image: Annotated[list[UploadFile], File(description="The images rated.")] = [],  # noqa: B006
    scale: Annotated[str | None, Form(description="Lowest and highest score.", examples=["1..5"])] = None,
) -> Rated:
    """Keep ratings. What is answered with 200 is stored; with an error nothing is."""
    services, caller = of(request)
    check_user(user)
    caller.check_user(user)
    wanted = _parse(ratings)
    span = None if scale is None else Scale.parse(scale)
    given, images = await _match(services, wanted, image)
    ends = None if span is None else (span.low, span.high)
    n = await asyncio.to_thread(services.store.rate, user, given, ends)
    return Rated(user=user, n_ratings=n, images=images)


def _parse(text: str) -> list[Rating]:
    try:
        ratings = _RATINGS.validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Problem(
            422,
            f"ratings are not a JSON list of {{image or sha256, score}}: {where} {first['msg']}"[:500]
            + "; correct them",
        ) from None
    check_count(len(ratings), _MOST_RATINGS, "ratings")
    if not ratings:
        raise Problem(422, "ratings is an empty list, expected at least one rating")
    for number, one in enumerate(ratings, 1):
        if (one.image is None) == (one.sha256 is None):
            raise Problem(422, f"rating {number} has both or neither of image and sha256; give one of them")
    return ratings


async def _match(
    services: Services, ratings: Sequence[Rating], uploads: Sequence[UploadFile]
) -> tuple[list[Given], list[ImageResult]]:
    """Each rating with its image's vector; every image must be there and readable."""
    files = {upload.filename or "": upload for upload in uploads}
    absent = [one.image for one in ratings if one.image is not None and one.image not in files]
    if absent:
        raise Problem(
            422, f"image {absent[0]!r} is rated, but no file of that name was sent; send it as 'image'"
        )
    names = list(dict.fromkeys(one.image for one in ratings if one.image is not None))
    digests = list(dict.fromkeys(one.sha256 for one in ratings if one.sha256 is not None))
    images, outcomes = await embed(services, [files[name] for name in names], digests)
    bad = [one for one in images if one.problem]
    if bad:
        raise Problem(
            422,
            f"{len(bad)} of {len(images)} images cannot be used, no rating was stored: {bad[0].problem}",
            images=[one.model_dump() for one in images],
        )
    found = dict(zip([*names, *digests], zip(images, outcomes, strict=True), strict=True))
    given = {}
    for one in ratings:
        result, vector = found[one.image if one.image is not None else one.sha256 or ""]
        assert not isinstance(vector, ImageError)  # noqa: S101  (refused above)
        given[result.sha256] = Given(
            sha256=result.sha256,
            image=result.image,
            score=one.score,
            model_hash=services.model.hash,
            vector=np.asarray(vector, "<f4").tobytes(),
        )
    return list(given.values()), images


@router.post("/users/{id}/fit", status_code=202)
async def fit(
    request: Request, user: UserId, adapter: Annotated[str, Query(max_length=50)] = DEFAULT
) -> JobInfo:
    """Fit the user to all her ratings, in the background; follow the job at /v1/jobs/{id}."""
    services, caller = of(request)
    check_user(user)
    caller.check_user(user)
    services.fitter.check_adapter(adapter)
    if await asyncio.to_thread(services.store.n_waiting) >= services.settings.max_fits:
        raise Problem(
            503, f"{services.settings.max_fits} fits wait already; try again later", retry_after_s=5
        )
    await asyncio.to_thread(services.store.given, user)
    job = await asyncio.to_thread(services.store.enqueue, user, adapter)
    services.fitter.wake()
    return JobInfo(**job.__dict__)


@router.get("/jobs/{id}")
async def job_of(
    request: Request, job: Annotated[str, Path(alias="id", pattern="^[0-9a-f]{32}$")]
) -> JobInfo:
    """How a fit stands."""
    services, caller = of(request)
    found = await asyncio.to_thread(services.store.job, job)
    # Another user's job must look like none, or ids could be tried out.
    if found is None or not (caller.admin or found.user == caller.user):
        raise Problem(404, f"there is no job {job!r}; ask for a fit first")
    return JobInfo(**found.__dict__)


@router.get("/users")
async def users(
    request: Request,
    after: Annotated[int, Query(ge=0, le=_LARGEST)] = 0,
    n: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> UserPage:
    """All users, a page at a time."""
    services, caller = of(request)
    caller.check_admin()
    rows = await asyncio.to_thread(services.store.page, after, n)
    lines = [UserLine(user=name, active=active, n_ratings=count) for _, name, active, count in rows]
    return UserPage(users=lines, next=rows[-1][0] if len(rows) == n else None)


@router.get("/users/{id}")
async def user_of(request: Request, user: UserId) -> UserInfo:
    """All that is kept of a user, but vectors and states: her right to see it."""
    services, caller = of(request)
    check_user(user)
    caller.check_user(user)
    return await asyncio.to_thread(_info, services, user)


def _info(services: Services, user: str) -> UserInfo:
    services.store.require(user)
    given = _or_none(lambda: services.store.given(user)[0]) or []
    versions = _or_none(lambda: AdapterStore(database=services.store.database).show(user)) or []
    active = services.store.active([user]).get(user)
    return UserInfo(
        user=user,
        active=active.version if active else None,
        versions=[_version(one) for one in versions],
        ratings=[Rating(score=one.score, image=one.image, sha256=one.sha256) for one in given],
    )


def _or_none(call: Callable[[], T]) -> T | None:
    from generic.errors import TooFewRatings

    try:
        return call()
    except (TooFewRatings, UnknownUser):
        return None


def _version(one: VersionSummary) -> VersionInfo:
    return VersionInfo(
        version=one.version,
        created=one.created,
        adapter=one.adapter,
        model=one.model_name,
        model_hash=one.model_hash,
        scale=(one.scale_low, one.scale_high),
        n_ratings=one.n_ratings,
    )


@router.get("/users/{id}/export")
async def export(request: Request, user: UserId) -> UserExport:
    """All that is kept of a user, vectors and states included: her right to take it along."""
    services, caller = of(request)
    check_user(user)
    caller.check_user(user)
    return await asyncio.to_thread(_export, services, user)


def _export(services: Services, user: str) -> UserExport:
    low, high = services.store.scale(user)
    given = _or_none(lambda: services.store.given(user)[0]) or []
    versions = _or_none(lambda: AdapterStore(database=services.store.database).history(user)) or []
    active = services.store.active([user]).get(user)
    return UserExport(
        user=user,
        active=active.version if active else None,
        scale=(low, high),
        ratings=[
            GivenRating(**{**one.__dict__, "vector": base64.b64encode(one.vector).decode()}) for one in given
        ],
        adapters=user_content(versions) if versions else None,
        jobs=[JobInfo(**job.__dict__) for job in services.store.jobs(user)],
    )


@router.delete("/users/{id}", status_code=204)
async def erase(request: Request, user: UserId) -> None:
    """Erase a user: ratings, vectors of the photos rated, adapters, jobs."""
    services, caller = of(request)
    check_user(user)
    caller.check_admin()
    await asyncio.to_thread(services.store.erase, user)


@router.post("/users/{id}/rollback")
async def rollback(
    request: Request, user: UserId, version: Annotated[int, Body(embed=True, ge=1, le=_LARGEST, examples=[1])]
) -> UserInfo:
    """Make an earlier version the active one; none is lost."""
    services, caller = of(request)
    check_user(user)
    caller.check_admin()
    await asyncio.to_thread(AdapterStore(database=services.store.database).rollback, user, version)
    return await asyncio.to_thread(_info, services, user)


@router.get("/users/{id}/suggest")
async def suggest(
    request: Request,
    user: UserId,
    sha256: Annotated[list[str], Query(description="Hashes of images seen before.", max_length=500)],
    n: Annotated[int, Query(ge=1, le=100)] = 10,
) -> list[Suggestion]:
    """Which of these photos to rate next: those whose ratings teach most about their ranking."""
    services, caller = of(request)
    check_user(user)
    caller.check_user(user)
    known = await services.embedder.known(list(dict.fromkeys(sha256)))
    if not known:
        raise Problem(404, "none of these images was seen before; score or rate them first")
    return await asyncio.to_thread(_suggest, services, user, known, n)


def _suggest(services: Services, user: str, album: dict[str, Features], n: int) -> list[Suggestion]:
    given, ends = services.store.given(user)
    services.fitter.check_given(user, given)
    scale, prior = Scale(*ends), services.fitter.prior
    features = np.stack([np.frombuffer(one.vector, "<f4") for one in given])
    state = knowledge(prior, (features, np.asarray(scale.to_unit([one.score for one in given]))))
    digests, rated = sorted(album), {one.sha256 for one in given}
    candidates = [row for row, digest in enumerate(digests) if digest not in rated]
    if not candidates:
        raise Problem(422, f"all {len(digests)} images are rated already; ask about others")
    picks = pick(
        cast("Prior", prior), state, np.stack([album[one] for one in digests]), n, candidates=candidates
    )
    width = scale.high - scale.low
    return [
        Suggestion(sha256=digests[one.row], before=width * one.before, after=width * one.after)
        for one in picks
    ]
