"""``POST /v1/score``: images and users in, scores out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, cast

import numpy as np
from fastapi import APIRouter, File, Form, Query, Request, UploadFile
from numpy.typing import NDArray

from generic.cache.features import Features
from generic.errors import ImageError, ModelMismatch
from generic.photos.facts import PhotoFacts
from generic.words import counted, none_of
from piaa.adapters.prediction import Array, Prediction, bend
from piaa.ratings.scale import Scale
from piaa.server.embedder import Known, Looked, Outcome
from piaa.server.forms import WideRoute
from piaa.server.gate import Caller
from piaa.server.problems import Problem
from piaa.server.schemas import ERRORS, ImageResult, Scores, UserScores
from piaa.server.scorers import needs_files
from piaa.server.services import Services
from piaa.store.records import check_user
from piaa.store.serving import Active

router = APIRouter(prefix="/v1", tags=["scores"], responses=ERRORS, route_class=WideRoute)
_MOST_INTERVALS = 100
_MOST_NETWORKS = 8

Uploads = Annotated[list[UploadFile], File(description="Image files.")]
Digests = Annotated[list[str], Form(description="Content hashes of images seen before.")]


@router.post("/score")
async def score(
    request: Request,
    user: Annotated[list[str], Form(description="Whose scores.", examples=[["ana"]])],
    image: Uploads = [],  # noqa: B006  (FastAPI copies it)
    sha256: Digests = [],  # noqa: B006
    intervals: Annotated[bool, Query(description="With the 80 % interval of each score.")] = False,
    fallback: Annotated[str | None, Query(pattern="^generic$", description="For users not fitted.")] = None,
) -> Scores:
    """Score every image for every user. Images that cannot be read are reported, the others scored."""
    services, caller = of(request)
    users = list(dict.fromkeys(user))
    for one in users:
        check_user(one)
        caller.check_user(one)
    limits = services.settings
    check_count(len(users), _MOST_INTERVALS if intervals else limits.max_users, "users")
    images, outcomes = await embed(services, caller, image, sha256)
    actives = await asyncio.to_thread(services.serving.active, users, services.model.generic.hash)
    _check_users(services, users, actives, fallback)
    good = [item for item in outcomes if not isinstance(item, ImageError)]
    if not good:
        problems = [one.model_dump() for one in images]
        raise Problem(
            422, f"{none_of(len(images), 'image')} can be scored: {images[0].problem}", images=problems
        )
    readable = np.array([not isinstance(item, ImageError) for item in outcomes])
    features = np.stack(good)
    tuned = await _tuned(services, caller, list(actives.values()), image, sha256, readable, features)
    lines = await asyncio.to_thread(_score, services, users, actives, features, readable, intervals, tuned)
    return Scores(
        model=services.model.generic.name, model_hash=services.model.generic.hash, images=images, users=lines
    )


async def _tuned(
    services: Services,
    caller: Caller,
    actives: Sequence[Active],
    uploads: Sequence[UploadFile],
    digests: Sequence[str],
    readable: NDArray[np.bool_],
    features: Features,
) -> dict[str, Prediction]:
    """Predictions for the users whose adapter is a network of their own, which sees the photos."""
    own = [active for active in actives if needs_files(active)]
    if not own:
        return {}
    check_count(len(own), _MOST_NETWORKS, "users with a network of their own")
    if digests:
        raise Problem(
            422,
            f"adapter {own[0].adapter!r} of user {own[0].user!r} sees the photos themselves; "
            "send files as 'image' instead of 'sha256'",
        )
    files = [upload for upload, good in zip(uploads, readable, strict=True) if good]
    for upload in files:
        await upload.seek(0)
    decoded = [
        services.embedder.pixels(caller.turn, _name(upload, 0), await upload.read()) for upload in files
    ]
    pixels = np.stack(await asyncio.gather(*decoded))
    return {
        active.user: await services.embedder.on_network(
            partial(services.scorers.predict, active, features, pixels)
        )
        for active in own
    }


def of(request: Request) -> tuple[Services, Caller]:
    """The server's parts, and who asks."""
    return cast("Services", request.app.state.services), cast("Caller", request.state.caller)


def check_count(n: int, most: int, what: str) -> None:
    """Raises Problem unless a request asks for few enough.

    Raises:
        Problem: 413.
    """
    if n > most:
        raise Problem(413, f"the request has {n} {what}, at most {most} may be; send several requests")


async def embed(
    services: Services, caller: Caller, uploads: Sequence[UploadFile], digests: Sequence[str]
) -> tuple[list[ImageResult], list[Outcome]]:
    """What became of each upload and each hash, and its vector or error; see :func:`see`."""
    seen = await see(services, caller, uploads, digests)
    return [image for image, _ in seen], [one.outcome for _, one in seen]


async def see(
    services: Services, caller: Caller, uploads: Sequence[UploadFile], digests: Sequence[str]
) -> list[tuple[ImageResult, Looked]]:
    """What became of each upload and each hash.

    Raises:
        Problem: there is no image, or there are too many, or the server is full.
    """
    n = len(uploads) + len(digests)
    if not n:
        raise Problem(422, "the request has no image; send files as 'image', or hashes as 'sha256'")
    check_count(n, services.settings.max_images, "images")
    contents = [(_name(upload, i), await upload.read()) for i, upload in enumerate(uploads, 1)]
    found = await services.embedder.embed(caller.turn, contents) if contents else []
    names = [name for name, _ in contents] + [digest[:64] for digest in digests]
    known = await services.embedder.known(digests)
    found += [_of_hash(digest, known.get(digest)) for digest in digests]
    return [(_result(name, one), one) for name, one in zip(names, found, strict=True)]


def _of_hash(digest: str, known: Known | None) -> Looked:
    if known is None:
        return Looked(digest[:64], "", PhotoFacts(), _unseen(digest))
    return Looked(digest, known.identity, known.facts or PhotoFacts(), known.vector)


def _name(upload: UploadFile, number: int) -> str:
    """What the client called a file, for messages only; never a path on this machine."""
    name = "".join(c if c.isprintable() else "\ufffd" for c in (upload.filename or ""))
    return name[:200] or f"image {number}"


def _unseen(digest: str) -> ImageError:
    return ImageError(f"no image with the hash {digest[:64]!r} was seen before; send the file")


def _result(name: str, one: Looked) -> ImageResult:
    problem = str(one.outcome) if isinstance(one.outcome, ImageError) else None
    return ImageResult(image=name, sha256=one.sha256, problem=problem)


def _check_users(
    services: Services, users: Sequence[str], actives: dict[str, Active], fallback: str | None
) -> None:
    missing = [user for user in users if user not in actives]
    if missing and fallback is None:
        raise Problem(
            404,
            f"{len(missing)} of {counted(len(users), 'user')} {'is' if len(missing) == 1 else 'are'} not "
            f"fitted, the first is {missing[0]!r}; "
            "rate photos and fit the user first, or ask with fallback=generic",
        )
    for active in actives.values():
        if active.model_hash != services.model.generic.hash:
            raise ModelMismatch(
                f"the adapter of user {active.user!r} (version {active.version}) was fitted on another "
                "model; fit the user again"
            )


def _score(
    services: Services,
    users: Sequence[str],
    actives: dict[str, Active],
    features: Features,
    readable: NDArray[np.bool_],
    intervals: bool,
    tuned: Mapping[str, Prediction],
) -> list[UserScores]:
    fitted = [actives[user] for user in users if user in actives and user not in tuned]
    rows = services.scorers.unit_scores(fitted, features) if not intervals and fitted else None
    places = {active.user: place for place, active in enumerate(fitted)}
    lines = []
    for user in users:
        active, low, high = actives.get(user), None, None
        if active is None:
            unit: Array = bend(features[:, 0])
        elif rows is not None and user in places:
            unit = rows[places[user]]
        else:
            prediction = tuned.get(user) or services.scorers.predict(active, features)
            unit = prediction.score
            if intervals:
                low, high = prediction.low, prediction.high
        ends = active.scale if active else services.model.generic.header.scale
        scale = Scale(float(ends[0]), float(ends[1]))
        lines.append(
            UserScores(
                user=user,
                version=active.version if active else None,
                fallback=active is None,
                scale=(scale.low, scale.high),
                scores=_spread(scale, unit, readable) or [],
                low=_spread(scale, low, readable),
                high=_spread(scale, high, readable),
            )
        )
    return lines


def _spread(scale: Scale, unit: Array | None, readable: NDArray[np.bool_]) -> list[float | None] | None:
    """Scores in the user's scale, with null for the images that have none."""
    if unit is None:
        return None
    values = iter(scale.from_unit(unit).tolist())
    return [next(values) if good else None for good in readable]
