"""What users say: ratings, comparisons and flags, kept and withdrawn."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, NamedTuple, TypeVar

from fastapi import APIRouter, File, Form, Path, Request, UploadFile
from pydantic import BaseModel, TypeAdapter, ValidationError

from generic.cache.features import Features
from generic.errors import ImageError, PiaaError
from generic.words import counted
from piaa.adapters.registry import DEFAULT
from piaa.ratings.scale import Scale
from piaa.server.embedder import Looked, Outcome
from piaa.server.fitting.work import check_adapter
from piaa.server.gate import Caller
from piaa.server.paths import UserId
from piaa.server.problems import Problem
from piaa.server.schemas import ERRORS, Comparison, Flag, ImageResult, JobInfo, Rated, Rating, Withdrawn
from piaa.server.scoring import check_count, of, see
from piaa.server.services import Services
from piaa.store.records import SeenPhoto, check_user
from piaa.store.saying import Saying

T = TypeVar("T", bound=BaseModel)
router = APIRouter(prefix="/v1", tags=["users"], responses=ERRORS)
_MOST = 1000
_SOURCE = "http"
Images = Annotated[list[UploadFile], File(description="The images it is about.")]


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
    image: Images = [],  # noqa: B006  (FastAPI copies it)
    scale: Annotated[str | None, Form(description="Lowest and highest score.", examples=["1..5"])] = None,
) -> Rated:
    """Keep ratings. What is answered with 200 is stored; with an error nothing is."""
    services, caller = _check(request, user)
    wanted = _parse(Rating, ratings, "ratings", "{image or sha256, score}")
    _check_named(wanted)
    span = None if scale is None else Scale.parse(scale)
    seen, images, older = await _match(services, caller, [_key(one) for one in wanted], image)
    last = {seen[_key(one)].identity: one for one in wanted}  # of a photo rated twice the last score
    saying = Saying(
        ratings=[(seen[_key(one)], one.score) for one in last.values()],
        model_hash=services.model.generic.hash,
        source=_SOURCE,
        scale=None if span is None else (span.low, span.high),
    )
    n = await _say(services, user, saying, older)
    return Rated(user=user, n_ratings=n, images=images)


@router.post("/users/{id}/comparisons")
async def compare(
    request: Request,
    user: UserId,
    comparisons: Annotated[
        str,
        Form(
            description="A JSON list of comparisons; photos by the name of an image, or by a hash.",
            examples=['[{"a": "beach.jpg", "b": "forest.jpg", "outcome": "a"}]'],
        ),
    ],
    image: Images = [],  # noqa: B006
) -> Rated:
    """Keep which of two photos a user prefers, beside whatever ratings she gave."""
    services, caller = _check(request, user)
    wanted = _parse(Comparison, comparisons, "comparisons", "{a, b, outcome}")
    seen, images, older = await _match(
        services, caller, [side for one in wanted for side in (one.a, one.b)], image
    )
    for number, one in enumerate(wanted, 1):
        if seen[one.a].identity == seen[one.b].identity:
            raise Problem(422, f"comparison {number} has the same photo on both sides; name two photos")
    saying = Saying(
        comparisons=[(seen[one.a], seen[one.b], one.outcome) for one in wanted],
        model_hash=services.model.generic.hash,
        source=_SOURCE,
    )
    n = await _say(services, user, saying, older)
    return Rated(user=user, n_ratings=n, images=images)


@router.post("/users/{id}/flags")
async def flag(
    request: Request,
    user: UserId,
    flags: Annotated[
        str,
        Form(
            description="A JSON list of flags.",
            examples=['[{"image": "beach.jpg", "flag": "pick"}]'],
        ),
    ],
    image: Images = [],  # noqa: B006
) -> Rated:
    """Keep which photos a user picked or rejected; nothing is learned from that."""
    services, caller = _check(request, user)
    wanted = _parse(Flag, flags, "flags", "{image or sha256, flag}")
    _check_named(wanted)
    seen, images, older = await _match(services, caller, [_key(one) for one in wanted], image)
    last = {seen[_key(one)].identity: one for one in wanted}
    saying = Saying(
        flags=[(seen[_key(one)], one.flag) for one in last.values()],
        model_hash=services.model.generic.hash,
        source=_SOURCE,
    )
    n = await _say(services, user, saying, older)
    return Rated(user=user, n_ratings=n, images=images)


@router.delete("/users/{id}/ratings/{photo}")
async def withdraw(
    request: Request,
    user: UserId,
    photo: Annotated[str, Path(description="Hash of a file that holds the photo.", pattern="^[0-9a-f]{64}$")],
) -> Withdrawn:
    """Delete all that a user ever said of a photo, and what was learned with it; she is learned again."""
    services, caller = _check(request, user)
    seen = await services.embedder.known([photo])
    pictures = [one.content.identity for one in seen.values()]
    withdrawn = await asyncio.to_thread(_withdraw, services, user, [photo, *pictures], caller.who)
    for one in services.served:
        await one.embedder.withdraw(user, photo, pictures)
    return withdrawn


def _withdraw(services: Services, user: str, keys: Sequence[str], who: str) -> Withdrawn:
    store = services.store
    adapters = {one.version: one.adapter for one in store.versions(user) if one.n_ratings}
    active = store.active(user)
    gone = store.withdraw(user, keys, _choose, source=_SOURCE, who=who)
    said = store.said(user, services.model.generic.hash)
    job = None
    if active in gone and (said.ratings or said.comparisons):
        job = services.jobs.enqueue(user, _fitted_here(services, adapters.get(active or 0, DEFAULT)))
        services.fitter.wake()
    return Withdrawn(
        user=user,
        n_ratings=len(said.ratings),
        deleted_versions=gone,
        job=JobInfo(**job.__dict__) if job else None,
    )


def _choose(user: str, keys: Collection[str], known: Sequence[tuple[str, str, str | None]]) -> set[str]:
    """The photo that a hash means; here nobody is told what other photos there are."""
    found = {photo for _, photo, sha256 in known if photo in keys or sha256 in keys}
    if not found:
        raise Problem(404, f"user {user!r} said nothing of a photo with this hash; see /v1/users/{{id}}")
    return found


def _fitted_here(services: Services, adapter: str) -> str:
    """The adapter of a version, or the usual one if that was fitted from what a server does not keep."""
    try:
        check_adapter(services.model, adapter)
    except (Problem, PiaaError):
        return DEFAULT
    return adapter


def _check(request: Request, user: str) -> tuple[Services, Caller]:
    services, caller = of(request)
    check_user(user)
    caller.check_user(user, "rate")
    return services, caller


def _parse(kind: type[T], text: str, what: str, form: str) -> list[T]:
    try:
        found: list[T] = TypeAdapter(list[kind]).validate_json(text)  # type: ignore[valid-type]
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Problem(
            422, f"{what} are not a JSON list of {form}: {where} {first['msg']}"[:500] + "; correct them"
        ) from None
    check_count(len(found), _MOST, what)
    if not found:
        raise Problem(422, f"{what} is an empty list, expected at least one {what.removesuffix('s')}")
    return found


def _check_named(wanted: Sequence[Rating | Flag]) -> None:
    for number, one in enumerate(wanted, 1):
        if (one.image is None) == (one.sha256 is None):
            what = "rating" if isinstance(one, Rating) else "flag"
            raise Problem(422, f"{what} {number} has both or neither of image and sha256; give one of them")


def _key(one: Rating | Flag) -> str:
    return one.image if one.image is not None else one.sha256 or ""


class Matched(NamedTuple):
    """The photos that a request speaks of."""

    seen: dict[str, SeenPhoto]
    """By name or hash, with vectors of the model of now."""
    images: list[ImageResult]
    older: dict[str, Features]
    """Vectors of the model of before, by identity."""


async def _match(
    services: Services, caller: Caller, keys: Sequence[str], uploads: Sequence[UploadFile]
) -> Matched:
    """The photo of each name or hash; every image must be there and readable."""
    files = {upload.filename or "": upload for upload in uploads}
    names = [key for key in dict.fromkeys(keys) if key in files]
    _check_once(names, uploads)
    digests = [key for key in dict.fromkeys(keys) if key not in files]
    absent = [key for key in digests if not _is_hash(key)]
    if absent:
        raise Problem(
            422, f"image {absent[0]!r} is named, but no file of that name was sent; send it as 'image'"
        )
    uploaded = [files[name] for name in names]
    looks = [await see(services, one, caller, uploaded, digests) for one in services.served]
    # While people move, a photo that only the model of before knows will do.
    found = [
        next((it for it in of_one if not it[0].problem), of_one[0]) for of_one in zip(*looks, strict=True)
    ]
    images = [image for image, _ in found]
    bad = [one for one in images if one.problem]
    if bad:
        raise Problem(
            422,
            f"{len(bad)} of {counted(len(images), 'image')} cannot be used, nothing was stored: "
            f"{bad[0].problem}",
            images=[one.model_dump() for one in images],
        )
    now, *before = looks
    seen = {
        key: _photo(one, image.image, under_now.outcome)
        for key, (image, one), (_, under_now) in zip([*names, *digests], found, now, strict=True)
    }
    older = {
        one.identity: one.outcome
        for look in before
        for _, one in look
        if not isinstance(one.outcome, ImageError)
    }
    return Matched(seen, images, older)


def _check_once(names: Sequence[str], uploads: Sequence[UploadFile]) -> None:
    """Raises Problem if a name means several files: what is said would be kept of one of them, whichever."""
    n = Counter(upload.filename for upload in uploads)
    twice = next((name for name in names if n[name] > 1), None)
    if twice is not None:
        raise Problem(
            422,
            f"{n[twice]} files were sent under the name {twice!r}, expected one; give each a name of its own",
        )


def _photo(one: Looked, image: str, vector: Outcome | None) -> SeenPhoto:
    return SeenPhoto(
        identity=one.identity,
        sha256=one.sha256,
        image=image,
        vector=None if isinstance(vector, ImageError) else vector,
        width=one.facts.width,
        height=one.facts.height,
        taken=one.facts.taken,
    )


async def _say(services: Services, user: str, saying: Saying, older: Mapping[str, Features]) -> int:
    """Keep what she says, and the vectors of the model of before, under which she may yet be learned."""
    n = await asyncio.to_thread(lambda: services.store.say(user, saying, quota=services.settings.quota))
    if services.before is not None and older:
        await asyncio.to_thread(services.serving.complete, older, services.before.hash)
    return n


def _is_hash(key: str) -> bool:
    return len(key) == 64 and set(key) <= set("0123456789abcdef")
