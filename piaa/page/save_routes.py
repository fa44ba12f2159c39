"""What leaves the page: sidecars, copies and links, the ranking as HTML; each only when asked for."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import Field

from generic.errors import PiaaError
from piaa.page.answer_routes import Of
from piaa.page.look_routes import State
from piaa.page.page_state import PageState
from piaa.page.taste import Taste
from piaa.store.records import check_user

router = APIRouter()


class Sidecars(Of):
    """Scores into sidecars."""

    stars: bool = False
    dry_run: bool = True


class Best(Of):
    """The best photos into a folder."""

    n: int = Field(ge=1, le=100_000)
    folder: str = Field(max_length=4096)
    how: Literal["copy", "link"] = "copy"
    one_of_each: bool = False


class Html(Of):
    """The ranking as a page."""

    folder: str = Field(max_length=4096)


@router.post("/api/sidecars")
def sidecars(state: State, asked: Sidecars) -> dict[str, Any]:
    """Write scores into sidecars, or say what would be written."""
    check_user(asked.user)
    taste = _settled(state, asked.user)
    return state.saving.sidecars(taste, stars=asked.stars, dry_run=asked.dry_run)


@router.post("/api/sidecars/undo")
def undo_sidecars(state: State, asked: Of) -> dict[str, Any]:
    """Put sidecars back as they were before the last writing."""
    check_user(asked.user)
    return state.saving.undo_sidecars(asked.user)


@router.post("/api/best")
def best(state: State, asked: Best) -> dict[str, Any]:
    """Copy or link the best into a folder."""
    check_user(asked.user)
    taste = _settled(state, asked.user)
    bursts = state.scenes.numbers if asked.one_of_each else None
    return state.saving.best(taste, asked.n, asked.folder, asked.how, bursts)


@router.post("/api/html")
def html(state: State, asked: Html) -> dict[str, Any]:
    """Write the ranking as a page of its own."""
    check_user(asked.user)
    return state.saving.html(_settled(state, asked.user), asked.folder)


def _settled(state: PageState, user: str) -> Taste:
    """What is known of a person, once photos whose file changed were read anew: old scores go nowhere."""
    for row in state.reader.look_again():
        with suppress(PiaaError):  # it is left out then
            state.reader.need(row)
    return state.learner.settled(user)
