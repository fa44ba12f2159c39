"""``POST /v1/score``: images and users in, scores out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, Literal, cast

import numpy as np
from fastapi import APIRouter, File, Form, Query, Request, UploadFile

from generic.cache.contents import Content
from generic.cache.features import Features
from generic.errors import ImageError, ModelMismatch
from generic.photos.facts import PhotoFacts
from generic.words import counted, none_of
from piaa.adapters.prediction import Prediction
from piaa.server.embedder import Known, Looked
from piaa.server.forms import WideRoute
from piaa.server.gate import Caller
from piaa.server.lines import Line, Look, lines_of
from piaa.server.problems import Problem
from piaa.server.schemas import ERRORS, KNOWN, Asked, ImageResult, Scores
from piaa.server.scorers import with_files
from piaa.server.served import Served
from piaa.server.services import Services
from piaa.store.records import check_user, is_sha256
from piaa.store.serving import Active

router = APIRouter(prefix="/v1", tags=["scores"], responses=ERRORS, route_class=WideRoute)
_MOST_INTERVALS = 100
_MOST_NETWORKS = 8

Uploads = Annotated[list[UploadFile], File(description="Image files.")]
Digests = Annotated[list[str], Form(description="Content hashes of images seen before.")]


@router.post("/score", response_model=Scores, openapi_extra=KNOWN)
async def score(
    request: Request,
    user: Annotated[list[str], Form(description="Whose scores.", examples=[["ana"]])],
    image: Uploads = [],  # noqa: B006  (FastAPI copies it)
    sha256: Digests = [],  # noqa: B006
    intervals: Annotated[bool, Query(description="With the 80 % interval of each score.")] = False,
    fallback: Annotated[str | None, Query(pattern="^generic$", description="For users not fitted.")] = None,
    exact: Annotated[
        bool, Query(description="As the adapter scores; false: without auto's smooth part, sooner for many.")
    ] = True,
) -> dict[str, Any]:
    """Score every image for every user. Images that cannot be read are reported, the others scored."""
    services, caller = of(request)
    generic: Literal["generic"] | None = "generic" if fallback else None
    asked = Asked(users=user, sha256=sha256, intervals=intervals, fallback=generic, exact=exact)
    return await answer(services, caller, asked, image)


async def answer(
    services: Services, caller: Caller, asked: Asked, uploads: Sequence[UploadFile] = ()
) -> dict[str, Any]:
    """What a request for scores is answered, whatever form it came in, as :class:`Scores` has it.

    Raises:
        Problem: it asks for too much, or for what is not there or not the caller's.
        ModelMismatch: a user has a version of another model only.
    """
    users = list(dict.fromkeys(asked.users))
    # How many there are comes first: each name takes its time, while nobody else is answered.
    check_count(len(users), _MOST_INTERVALS if asked.intervals else services.settings.max_users, "users")
    for one in users:
        check_user(one)
        caller.check_user(one, "score")
    if not uploads and services.before is None:
        (served,) = services.served
        look = Look(served, await see(services, served, caller, uploads, asked.sha256))
        return await asyncio.to_thread(_known_scores, services, look, users, asked)
    actives = await asyncio.to_thread(services.serving.active, users, services.hashes)
    actives = _scored_here(services, users, actives, asked.fallback)
    looks = [
        Look(one, await see(services, one, caller, uploads, asked.sha256))
        for one in services.served
        # What is sent is seen by all: whoever asks for it by its hash may be of another model.
        if uploads
        or one.hash == services.hashes[0]
        or any(active.model_hash == one.hash for active in actives.values())
    ]
    images = _merged([look.images for look in looks])
    lines: dict[str, Line] = {}
    for look in looks:
        here = {
            user: actives.get(user)
            for user in users
            if (actives[user].model_hash if user in actives else services.hashes[0]) == look.served.hash
        }
        own = with_files([one for one in here.values() if one is not None])
        tuned = await _tuned(look, caller, own, uploads, asked.sha256) if own else {}
        lines |= await asyncio.to_thread(lines_of, look, here, asked, tuned)
    return _scores(services, images, [lines[user] for user in users])


def _known_scores(services: Services, look: Look, users: Sequence[str], asked: Asked) -> dict[str, Any]:
    """Scores of photos that were seen before, by a server of one model, in one go."""
    actives = services.serving.active(users, services.hashes)
    actives = _scored_here(services, users, actives, asked.fallback)
    refuse_hashes(with_files(actives.values()))
    lines = lines_of(look, {user: actives.get(user) for user in users}, asked, {})
    return _scores(services, look.images, [lines[user] for user in users])


def _scores(services: Services, images: list[ImageResult], users: list[Line]) -> dict[str, Any]:
    """The answer, as :class:`Scores` has it, unless there is not one score in it."""
    if all(one.problem for one in images):
        problems = [one.model_dump() for one in images]
        raise Problem(
            422, f"{none_of(len(images), 'image')} can be scored: {images[0].problem}", images=problems
        )
    if all(one["problem"] for one in users):
        raise Problem(422, str(users[0]["problem"]))
    generic = services.model.generic
    return {"model": generic.name, "model_hash": generic.hash, "images": images, "users": users}


def _merged(images: Sequence[Sequence[ImageResult]]) -> list[ImageResult]:
    """Of each image what became of it under the model that could make most of it."""
    return [
        next((one for one in of_one if one.problem is None), of_one[0])
        for of_one in zip(*images, strict=True)
    ]


async def _tuned(
    look: Look,
    caller: Caller,
    own: Sequence[Active],
    uploads: Sequence[UploadFile],
    digests: Sequence[str],
) -> dict[str, Prediction | str]:
    """Predictions for the users whose adapter is a network of their own, which sees the photos."""
    features, served = look.features, look.served
    if features is None:
        return {}
    check_count(len(own), _MOST_NETWORKS, "users with a network of their own")
    if digests:
        refuse_hashes(own)
    files = [upload for upload, good in zip(uploads, look.readable, strict=True) if good]
    contents = [(_name(upload, 0), await _whole(upload)) for upload in files]
    decoded = [served.embedder.pixels(caller.turn, *one) for one in contents]
    pixels = np.stack(await asyncio.gather(*decoded))
    return {
        active.user: await served.embedder.on_network(partial(served.scorers.tried, active, features, pixels))
        for active in own
    }


def refuse_hashes(own: Sequence[Active]) -> None:
    """Raises Problem if there is somebody whose adapter sees the photos themselves."""
    if own:
        raise Problem(
            422,
            f"adapter {own[0].adapter!r} of user {own[0].user!r} sees the photos themselves; "
            "send files as 'image' instead of 'sha256'",
        )


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


async def see(
    services: Services,
    served: Served,
    caller: Caller,
    uploads: Sequence[UploadFile],
    digests: Sequence[str],
) -> list[tuple[ImageResult, Looked]]:
    """What became of each upload and each hash under one model.

    Raises:
        Problem: there is no image, or there are too many, or the server is full.
    """
    n = len(uploads) + len(digests)
    if not n:
        raise Problem(422, "the request has no image; send files as 'image', or hashes as 'sha256'")
    check_count(n, services.settings.max_images, "images")
    contents = [(_name(upload, i), await _whole(upload)) for i, upload in enumerate(uploads, 1)]
    found = await served.embedder.embed(caller.turn, contents, caller.user) if contents else []
    names = [name for name, _ in contents] + [_printable(digest[:64]) for digest in digests]
    known = await known_to(services, served, caller, digests)
    found += [_of_hash(digest, known.get(digest)) for digest in digests]
    await keep_vectors_of_rated(services, served, found)
    return [(_result(name, one), one) for name, one in zip(names, found, strict=True)]


async def _whole(upload: UploadFile) -> bytes:
    await upload.seek(0)
    return await upload.read()


async def keep_vectors_of_rated(services: Services, served: Served, photos: Sequence[Looked]) -> None:
    """While people move to a model: keep its vectors of photos that they rated and that are sent again."""
    if services.mover is None:
        return
    vectors: dict[str, Features] = {
        one.identity: one.outcome for one in photos if not isinstance(one.outcome, ImageError)
    }
    if vectors:
        n = await asyncio.to_thread(services.serving.complete, vectors, served.hash)
        if n:
            services.mover.wake()


async def known_to(
    services: Services, served: Served, caller: Caller, digests: Sequence[str]
) -> dict[str, Known]:
    """The photos that the caller may name by these hashes: her own, and those that were shared with her."""
    found = await served.embedder.known(digests, caller.user)
    # What is no hash is in no store, and might be no text that one can hold.
    missing = [digest for digest in digests if digest not in found and is_sha256(digest)]
    if missing and caller.user is not None:
        said = await asyncio.to_thread(services.serving.photos_of, caller.user, missing, served.hash)
        found |= {one: Known(Content(one, identity), vector) for one, (identity, vector) in said.items()}
    return found


def _of_hash(digest: str, known: Known | None) -> Looked:
    if known is None:
        shown = _printable(digest[:64])
        return Looked(shown, "", PhotoFacts(), _unseen(shown))
    return Looked(digest, known.content.identity, known.facts or PhotoFacts(), known.vector)


def _name(upload: UploadFile, number: int) -> str:
    """What the client called a file, for messages only; never a path on this machine."""
    return _printable(upload.filename or "")[:200] or f"image {number}"


def _printable(text: str) -> str:
    """What a client sent, as an answer and a terminal can show it."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def _unseen(digest: str) -> ImageError:
    return ImageError(f"no image with the hash {digest!r} was seen before; send the file")


def _result(name: str, one: Looked) -> ImageResult:
    problem = str(one.outcome) if isinstance(one.outcome, ImageError) else None
    return ImageResult(image=name, sha256=one.sha256, problem=problem)


def _scored_here(
    services: Services, users: Sequence[str], actives: dict[str, Active], fallback: str | None
) -> dict[str, Active]:
    """The versions of models that are served here.

    Raises:
        Problem: a user has none at all, and the generic score was not asked for.
        ModelMismatch: a user has one of another model only, likewise.
    """
    here = {user: one for user, one in actives.items() if one.model_hash in services.hashes}
    if fallback is not None:
        return here
    missing = [user for user in users if user not in actives]
    if missing:
        raise Problem(
            404,
            f"{len(missing)} of {counted(len(users), 'user')} {'is' if len(missing) == 1 else 'are'} not "
            f"fitted, the first is {missing[0]!r}; "
            "rate photos and fit the user first, or ask with fallback=generic",
        )
    for active in actives.values():
        if active.user not in here:
            raise ModelMismatch(
                f"the adapter of user {active.user!r} (version {active.version}) was fitted on another "
                "model; fit the user again"
            )
    return here
