"""What a person answers: each request returns when the store has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from generic.errors import PiaaError
from piaa.page.look_routes import State
from piaa.page.page_state import PageState
from piaa.store.records import check_user

router = APIRouter()
_MOST = 200_000


class Of(BaseModel):
    """Who answers."""

    user: str = Field(max_length=200)


class Answer(Of):
    """What is said of photos as they were shown."""

    versions: list[str] = Field(default=[], max_length=_MOST)
    """Which picture each of them was; empty ones, or none at all, for whoever did not see them."""


class Rated(Answer):
    """Stars of a photo; none takes hers off."""

    row: int
    stars: Literal[1, 2, 3, 4, 5] | None


class Flagged(Answer):
    """Flags of photos; none takes them off."""

    rows: list[int] = Field(max_length=_MOST, min_length=1)
    flag: Literal["pick", "reject"] | None


class Compared(Answer):
    """Which of two photos is the better one."""

    a: int
    b: int
    outcome: Literal["a", "b", "equal"]


class Wishes(BaseModel):
    """Photos to read first."""

    rows: list[int] = Field(max_length=_MOST)


@router.post("/api/want")
def want(state: State, wishes: Wishes) -> dict[str, bool]:
    """Have these read first."""
    state.reader.wanted.ask(wishes.rows)
    return {"ok": True}


@router.post("/api/rate")
def rate(state: State, rated: Rated) -> dict[str, Any]:
    """Stars of one photo."""
    check_user(rated.user)
    _as_shown(state, [rated.row], rated)
    state.answers.rate(rated.user, rated.row, rated.stars)
    return _saved(state, rated.user)


@router.post("/api/flag")
def flag(state: State, flagged: Flagged) -> dict[str, Any]:
    """Flags of some photos, as one change."""
    check_user(flagged.user)
    _as_shown(state, flagged.rows, flagged)
    state.answers.flag(flagged.user, flagged.rows, flagged.flag)
    return _saved(state, flagged.user)


@router.post("/api/compare")
def compare(state: State, compared: Compared) -> dict[str, Any]:
    """Which of two photos is the better one."""
    check_user(compared.user)
    _as_shown(state, [compared.a, compared.b], compared)
    state.answers.compare(compared.user, compared.a, compared.b, compared.outcome)
    return _saved(state, compared.user)


@router.post("/api/undo")
def undo(state: State, of: Of) -> dict[str, Any]:
    """Take back the last answer."""
    check_user(of.user)
    what = state.answers.undo(of.user)
    return {**_saved(state, of.user), "what": what}


@router.post("/api/redo")
def redo(state: State, of: Of) -> dict[str, Any]:
    """Say again what was undone last."""
    check_user(of.user)
    state.answers.redo(of.user)
    return _saved(state, of.user)


@router.post("/api/stars")
def learn_stars(state: State, of: Of) -> dict[str, Any]:
    """Take the stars in the files for hers."""
    check_user(of.user)
    with state.answers.taking_over(of.user):
        found = state.stars.learn(of.user)
    state.stars.n_found += 1
    return {**_saved(state, of.user), **found}


def _as_shown(state: PageState, rows: Sequence[int], answer: Answer) -> None:
    """Wait until photos were read; an answer to a picture that is not there any more is none.

    Raises:
        PiaaError: a photo cannot be read, or its file changed since it was shown.
    """
    for row in rows:
        state.reader.need(row)
    for row, version in zip(rows, answer.versions, strict=False):
        photo = state.album.photo(row)
        if version and version != photo.version:
            raise PiaaError(
                f"{photo.name!r} changed on the disk since it was shown, so nothing was kept; look again"
            )


def _saved(state: PageState, user: str) -> dict[str, Any]:
    """The words of hers that the page shows at once; the ranking follows."""
    standing = state.learner.answered(user)
    return {"own": standing.words.own, "flags": standing.words.flags}
