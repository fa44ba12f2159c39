"""``/v1/users``: who is there, what is kept of them, their versions, suggestions, erasure."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, cast

import numpy as np
from fastapi import APIRouter, Body, Query, Request

from generic.words import all_are
from piaa.people.asking import Seconds, asking_for
from piaa.people.model import Model
from piaa.people.suggest import knowledge
from piaa.people.suggest import suggest as pick
from piaa.people.suggest_photos import answers_of
from piaa.server.paths import LARGEST, UserId
from piaa.server.problems import Problem
from piaa.server.schemas import (
    ERRORS,
    ChangeInfo,
    Comparison,
    ErasedInfo,
    Flag,
    GivenRating,
    JobInfo,
    Rating,
    Shared,
    Suggestion,
    UserExport,
    UserInfo,
    UserLine,
    UserPage,
    VersionInfo,
)
from piaa.server.scoring import known_to, of
from piaa.server.served import said_under
from piaa.server.services import Services
from piaa.store.records import MAPPED, StoredComparison, StoredFlag, StoredRating, VersionSummary, check_user
from piaa.store.said import Said
from piaa.store.user_file import to_json

if TYPE_CHECKING:
    from piaa.adapters.prior import Prior
    from piaa.server.embedder import Known

router = APIRouter(prefix="/v1", tags=["users"], responses=ERRORS)


@router.get("/users")
async def users(
    request: Request,
    after: Annotated[int, Query(ge=0, le=LARGEST)] = 0,
    n: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> UserPage:
    """All users, a page at a time."""
    services, caller = of(request)
    caller.check("admin")
    rows = await asyncio.to_thread(services.serving.page, after, n)
    lines = [UserLine(user=row.user, active=row.active, n_ratings=row.n_ratings) for row in rows]
    return UserPage(users=lines, next=rows[-1].number if len(rows) == n else None)


@router.get("/users/{id}")
async def user_of(request: Request, user: UserId) -> UserInfo:
    """All that is kept of a user, but vectors and states: her right to see it."""
    services, caller = of(request)
    check_user(user)
    caller.check_user(user, "rate")
    return await asyncio.to_thread(_info, services, user)


def _info(services: Services, user: str) -> UserInfo:
    store = services.store
    said = store.said(user, services.model.generic.hash)
    return UserInfo(
        user=user,
        active=_active(services, user),
        versions=[_version(one) for one in store.versions(user)],
        ratings=[_rating(one) for one in said.ratings],
        comparisons=[_comparison(one) for one in said.comparisons],
        flags=[_flag(one) for one in store.flags(user)],
    )


def _active(services: Services, user: str) -> int | None:
    """Her version that scores here, or else that of another model that counts."""
    found = services.serving.active([user], services.hashes).get(user)
    return found.version if found else None


def _rating(one: StoredRating) -> Rating:
    return Rating(score=one.score, image=one.image, sha256=one.sha256)


def _comparison(one: StoredComparison) -> Comparison:
    return Comparison(a=one.a, b=one.b, outcome=one.outcome)


def _flag(one: StoredFlag) -> Flag:
    return Flag(image=one.image, sha256=one.sha256, flag=one.flag)


def _version(one: VersionSummary) -> VersionInfo:
    return VersionInfo(
        version=one.version,
        created=one.created,
        adapter=one.adapter,
        model=one.model_name,
        model_hash=one.model_hash,
        scale=(one.scale_low, one.scale_high),
        n_ratings=one.n_ratings,
        n_mapped=one.extra.get(MAPPED, 0),
    )


@router.get("/users/{id}/export")
async def export(request: Request, user: UserId) -> UserExport:
    """All that is kept of a user, vectors and states included: her right to take it along."""
    services, caller = of(request)
    check_user(user)
    caller.check_user(user, "rate")
    return await asyncio.to_thread(_export, services, user)


def _export(services: Services, user: str) -> UserExport:
    store, model_hash = services.store, services.model.generic.hash
    said = store.said(user, model_hash)
    vectors = {photo: base64.b64encode(vector.tobytes()).decode() for photo, vector in said.vectors.items()}
    return UserExport(
        user=user,
        active=_active(services, user),
        scale=said.scale,
        ratings=[
            GivenRating(**_rating(one).model_dump(), model_hash=model_hash, vector=vectors.get(one.photo))
            for one in said.ratings
        ],
        comparisons=[_comparison(one) for one in said.comparisons],
        flags=[_flag(one) for one in store.flags(user)],
        history=[ChangeInfo(**one.__dict__) for one in store.history(user)],
        adapters=to_json(store.content(user)),
        jobs=[JobInfo(**job.__dict__) for job in services.jobs.of_user(user)],
    )


@router.delete("/users/{id}")
async def erase(request: Request, user: UserId) -> ErasedInfo:
    """Erase a user: all that she said, vectors of photos that nobody else rated, adapters, jobs.

    Keys of the user are refused from now on.
    """
    services, caller = of(request)
    check_user(user)
    caller.check("admin")
    gone = await asyncio.to_thread(lambda: services.store.delete(user, source=caller.who))
    forgotten = max([await one.embedder.forget(user, gone.photos, gone.sent) for one in services.served])
    counts = {key: value for key, value in gone.__dict__.items() if key not in ("photos", "sent")}
    return ErasedInfo(user=user, n_photos=len(gone.photos), n_remembered=forgotten, **counts)


@router.post("/users/{id}/photos")
async def share(
    request: Request,
    user: UserId,
    sha256: Annotated[
        list[str], Body(embed=True, description="Hashes of images seen before.", max_length=500)
    ],
) -> Shared:
    """Share photos that others sent with a user: she may name them by their hashes from now on."""
    services, caller = of(request)
    check_user(user)
    caller.check("admin")
    n = max([await one.embedder.share(list(dict.fromkeys(sha256)), user) for one in services.served])
    return Shared(user=user, n_shared=n)


@router.post("/users/{id}/rollback")
async def rollback(
    request: Request, user: UserId, version: Annotated[int, Body(embed=True, ge=1, le=LARGEST, examples=[1])]
) -> UserInfo:
    """Have an earlier version count, with what the user had said by then; none is lost."""
    services, caller = of(request)
    check_user(user)
    caller.check("admin")
    await asyncio.to_thread(lambda: services.store.restore(user, version, source="http", who=caller.who))
    return await asyncio.to_thread(_info, services, user)


@router.get("/users/{id}/suggest")
async def suggest(
    request: Request,
    user: UserId,
    sha256: Annotated[list[str], Query(description="Hashes of images seen before.", max_length=500)],
    n: Annotated[int, Query(ge=1, le=100)] = 10,
    ask: Annotated[str, Query(pattern="^(ratings|comparisons|both)$")] = "ratings",
    rating_seconds: Annotated[float, Query(gt=0, le=3600)] = 5.0,
    comparison_seconds: Annotated[float, Query(gt=0, le=3600)] = 2.0,
) -> list[Suggestion]:
    """Which of these photos to rate, or to compare, next: what teaches most of their ranking for a second."""
    services, caller = of(request)
    check_user(user)
    caller.check_user(user, "rate")
    digests = list(dict.fromkeys(sha256))
    seconds = asking_for(ask, rating_seconds, comparison_seconds)
    known = {one.hash: await known_to(services, one, caller, digests) for one in services.served}
    if any(known.values()):
        model, said = await asyncio.to_thread(said_under, services.store, services.models, user)
        if album := known[model.generic.hash]:
            return await asyncio.to_thread(_suggest, model, said, user, album, n, seconds)
    raise Problem(404, "none of these images was seen before; score or rate them first")


def _suggest(
    model: Model, said: Said, user: str, album: dict[str, Known], n: int, seconds: Seconds
) -> list[Suggestion]:
    prior, state = model.prior, knowledge(model.prior, *answers_of(model, user, said))
    digests = sorted(album)
    rated = {key for one in said.ratings for key in (one.photo, one.sha256)}
    # Of copies of a photo the first alone, as in the terminal.
    first = {album[digest].content.identity: row for row, digest in reversed(list(enumerate(digests)))}
    candidates = [row for row in sorted(first.values()) if rated.isdisjoint(_keys(digests[row], album))]
    if not candidates:
        raise Problem(
            422,
            f"{all_are(len(digests), 'image')} rated already; ask about others",
        )
    if seconds.rating is None and len(candidates) < 2:
        raise Problem(422, "a comparison needs two images that are not rated yet; ask about more of them")
    vectors = np.stack([album[one].vector for one in digests])
    picks = pick(cast("Prior", prior), state, vectors, n, candidates=candidates, seconds=seconds)
    width = said.scale[1] - said.scale[0]
    return [
        Suggestion(
            sha256=digests[one.row],
            other=None if one.other is None else digests[one.other],
            before=width * one.before,
            after=width * one.after,
            gain=one.gain,
        )
        for one in picks
    ]


def _keys(digest: str, album: Mapping[str, Known]) -> tuple[str, str]:
    """How a rated photo may be known: by its picture, or by its file alone."""
    return digest, album[digest].content.identity
