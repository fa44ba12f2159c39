"""What the page looks at: photos, scores, news; nothing is changed by asking."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from generic.errors import PiaaError
from piaa.adapters.prediction import bend
from piaa.page.album import Photo
from piaa.page.asking import Asking, compared_words, worth_of
from piaa.page.page_state import PageState
from piaa.page.pictures import whole
from piaa.page.reader import small_picture
from piaa.page.saving import intervals
from piaa.page.why import why
from piaa.people.bursts import moment
from piaa.ratings.spelling import escaped
from piaa.store.records import check_user

router = APIRouter()
_PATIENCE_S = 25.0
_FACTS = 5000
_DIGITS = 9
"""Of a row, at most."""
_FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}
_BYTES = "application/octet-stream"


def state_of(request: Request) -> PageState:
    """What the page shows."""
    found: PageState = request.app.state.page
    return found


def user_of(user: Annotated[str, Query()]) -> str:
    """Who looks at it.

    Raises:
        StoreError: nobody can be called so.
    """
    check_user(user)
    return user


State = Annotated[PageState, Depends(state_of)]
User = Annotated[str, Depends(user_of)]


@router.get("/api/album")
def album(state: State) -> dict[str, Any]:
    """The photos by name, and what else is in the folder."""
    return {
        "root": escaped(str(state.album.root)),
        "names": [photo.name for photo in state.album.photos],
        "others": state.album.others,
        "n_outside": state.album.n_outside,
        "model": state.model.generic.name,
    }


@router.get("/api/news")
async def news(
    state: State, user: User, facts: int, said: int, scored: int, bursts: int, stars: int
) -> dict[str, Any]:
    """Waits for news, beginning from what the page knows."""
    await asyncio.to_thread(state.learner.of, user)  # of somebody new this takes a moment

    def look() -> dict[str, int]:
        standing = state.learner.of(user)
        return {
            "facts": state.album.n_told,
            "said": standing.n_said,
            "scored": standing.n_scored,
            "bursts": state.scenes.n_found,
            "stars": state.stars.n_found,
            "n_read": state.album.n_known,
        }

    def is_urgent(seen: dict[str, int]) -> bool:
        return (seen["said"], seen["scored"]) != (said, scored)

    def is_news(seen: dict[str, int]) -> bool:
        return (seen["facts"], seen["bursts"], seen["stars"]) != (facts, bursts, stars)

    return await state.news.wait(look, is_news, is_urgent, _PATIENCE_S)


@router.get("/api/facts")
def facts(state: State, start: Annotated[int, Query(ge=0)]) -> dict[str, Any]:
    """What was found out about photos since, at most some thousand at once."""
    rows, end = state.album.news(start, _FACTS)
    return {"end": end, "rows": [_facts_of(state, row) for row in rows]}


def _facts_of(state: PageState, row: int) -> list[Any]:
    photo = state.album.photos[row]
    taken = moment(photo.taken)
    crowd = None
    if state.album.is_known(row):
        crowd = round(float(bend(state.album.vectors([row])[:, 0])[0]), 5)
    when = None if taken != taken else taken
    return [row, photo.width, photo.height, when, crowd, photo.has_picture, photo.version, photo.error]


@router.get("/api/said")
def said(state: State, user: User) -> dict[str, Any]:
    """What a person said of the album, and what it is worth."""
    standing = state.learner.of(user)
    taste, words = standing.taste, standing.words
    can_undo, can_redo = state.answers.can(user)
    worth = worth_of(taste, state.model, state.learner.estimate_of(taste))
    return {
        "n_said": standing.n_said,
        "own": words.own,
        "flags": words.flags,
        "n_elsewhere": words.n_elsewhere,
        "n_comparisons": words.n_comparisons,
        "scale": taste.scale,
        "problem": taste.problem,
        "is_learned": taste.learned is not None,
        "can_undo": can_undo,
        "can_redo": can_redo,
        "compared": compared_words(taste).strip(),
        "worth": worth.line,
        "is_enough": worth.is_enough,
    }


@router.get("/api/scores")
def scores(state: State, user: User) -> Response:
    """Scores of all photos, float32, NaN where unknown."""
    standing = state.learner.of(user)
    headers = {"X-Scored": str(standing.n_scored)}
    return Response(standing.scores.astype("<f4").tobytes(), media_type=_BYTES, headers=headers)


@router.get("/api/teaches")
def teaches(state: State, user: User) -> Response:
    """How much a rating of each photo would teach, float32, NaN where unknown."""
    falls = _asking(state, user).falls()
    return Response(falls.astype("<f4").tobytes(), media_type=_BYTES)


@router.get("/api/bursts")
def bursts(state: State) -> Response:
    """The burst of each photo, int32, -1 where unknown."""
    return Response(state.scenes.numbers.astype("<i4").tobytes(), media_type=_BYTES)


@router.get("/api/intervals")
def some_intervals(state: State, user: User, rows: str) -> dict[str, list[float]]:
    """The 80 % interval of some photos, by row."""
    taste = state.learner.of(user).taste
    chosen = [row for row in _rows(rows) if 0 <= row < len(state.album) and state.album.is_known(row)]
    if taste.learned is None or not chosen:
        return {}
    _, low, high = intervals(taste.learned.adapter, state.album.vectors(chosen), taste.scale)
    ends = zip(chosen, low.tolist(), high.tolist(), strict=True)
    return {str(row): [round(one, 2), round(other, 2)] for row, one, other in ends}


@router.get("/api/ask")
def ask(state: State, user: User, leave_out: str = "") -> dict[str, Any]:
    """Photos to rate next, the most instructive first."""
    asking = _asking(state, user)
    return {"rows": asking.photos(leave_out=_rows(leave_out)), "is_pair_better": asking.is_pair_better()}


@router.get("/api/pair")
def pair(state: State, user: User, skip: Annotated[int, Query(ge=0)] = 0) -> dict[str, Any]:
    """Two photos to compare."""
    found = _asking(state, user).pair(skip)
    return {"rows": None if found is None else list(found)}


@router.get("/api/why/{row}")
def reasons(state: State, user: User, row: int) -> dict[str, Any]:
    """Why a photo lies where it lies."""
    return why(state.album, state.model, state.learner.of(user).taste, row)


@router.get("/api/users")
def users(state: State) -> dict[str, Any]:
    """Who is in the store, and who looks first."""
    return {"users": [one.user for one in state.store.users()], "first": state.user}


@router.get("/api/stars")
def stars(state: State, user: User) -> dict[str, Any]:
    """The stars that the files hold."""
    return state.stars.of(user)


@router.get("/thumb/{row}")
def thumb(state: State, row: int, v: str = "") -> Response:
    """A thumbnail; made anew if it went to make room."""
    photo = state.album.photo(row)
    if not photo.identity:
        raise PiaaError(f"{photo.name!r} was not read yet; wait a moment")
    content = state.pictures.get(photo.identity)
    if content is None:
        limit = state.model.settings.max_pixels or 200_000_000
        content = state.pictures.keep(photo.identity, small_picture(state.album.file(row), limit))
    return _picture(content, "image/webp", v == photo.version)


@router.get("/photo/{row}")
def photo(state: State, row: int, v: str = "") -> Response:
    """A photo as large as a screen; of a file that changed only once it was read anew."""
    one = _read(state, row)
    content, kind = state.pictures.large(one.identity, state.album.file(row), state.model.settings.max_pixels)
    return _picture(content, kind, v == one.version)


@router.get("/photo/{row}/whole")
def whole_photo(state: State, row: int, v: str = "") -> Response:
    """A photo at its full size."""
    one = _read(state, row)
    content, kind = whole(state.album.file(row), state.model.settings.max_pixels)
    return _picture(content, kind, v == one.version)


def _read(state: PageState, row: int) -> Photo:
    state.reader.look_again([row])
    if not state.album.photo(row).identity:
        state.reader.need(row)
    return state.album.photo(row)


def _picture(content: bytes, kind: str, is_this: bool) -> Response:
    """Kept by the browser if it named the picture: another may have the row next time."""
    return Response(content, media_type=kind, headers=_FOREVER if is_this else None)


def _asking(state: PageState, user: str) -> Asking:
    taste, bursts = state.learner.of(user).taste, state.scenes.numbers
    return Asking(album=state.album, model=state.model, taste=taste, bursts=bursts)


def _rows(text: str) -> list[int]:
    parts = [part for part in text.split(",") if part]
    if len(text) > 100_000 or not all(part.isdecimal() and len(part) <= _DIGITS for part in parts):
        raise PiaaError("photos are asked for by numbers with commas between them")
    return [int(part) for part in parts]
