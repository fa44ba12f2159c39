"""``/v1/keys`` and ``/v1/audit``: who may use the server, and who did what to its store."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Annotated, TypeVar, cast

from fastapi import APIRouter, Path, Query, Request
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from generic.errors import StoreError, StoreUnavailable
from piaa.server.gate import Caller
from piaa.server.paths import LARGEST
from piaa.server.problems import Problem
from piaa.server.schemas import ERRORS
from piaa.store import audit
from piaa.store.clock import written
from piaa.store.keys import Key, KeyStore

T = TypeVar("T")
router = APIRouter(prefix="/v1", tags=["operation"], responses=ERRORS)
_ID = "^[0-9a-f]{1,32}$"
KeyId = Annotated[str, Path(alias="id", description="The key's id.", pattern=_ID)]
_ROLES, _SCOPES = "^(admin|user|service)$", "^(score|rate|admin|metrics)$"


def _text(value: object) -> object:
    """A time as it is written, where pydantic would take seconds since 1970, too."""
    if value is not None and not (isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d[Tt ]", value)):
        raise ValueError("expected a date and a time with its zone, such as 2027-01-31T00:00:00Z")
    return value


Time = Annotated[AwareDatetime, BeforeValidator(_text)]


class _Json(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NewKey(_Json):
    """A key that is to be made."""

    role: str = Field(
        pattern=_ROLES, description="`user` is for one user alone, `service` for all.", examples=["service"]
    )
    user: str | None = Field(None, description="Whose key it is, of the role `user`.", examples=[None])
    scopes: list[Annotated[str, Field(pattern=_SCOPES)]] = Field(
        default=[],
        max_length=4,
        description="What it is for; none: all that the role may, of which a service has nothing.",
        examples=[["metrics"]],
    )
    label: str | None = Field(None, max_length=100, description="In your words.", examples=["prometheus"])
    expires: Time | None = Field(None, description="From then on it is refused; null: never.")


class KeyInfo(_Json):
    """A key without its secret."""

    id: str
    role: str
    user: str | None
    scopes: list[str]
    label: str | None
    created: str
    expires: str | None
    revoked: str | None
    last_used: str | None = Field(description="About: it is noted once an hour.")
    old_until: str | None = Field(
        description="Until when the secret before the last rotation is valid as well."
    )


class KeyPage(_Json):
    """A page of keys, oldest first."""

    keys: list[KeyInfo]
    next: str | None = Field(description="`after` of the next page; null at the end.")


class KeySecret(_Json):
    """A key with its secret, which is not kept and cannot be shown again."""

    key: KeyInfo
    secret: str


class Rotation(_Json):
    """How a key gets a new secret."""

    old_until: Time | None = Field(
        None, description="How long the secret of before is valid as well; null: no longer."
    )


class AuditEntry(_Json):
    """One thing that was done."""

    id: int
    at: str
    who: str = Field(
        description="A key's id, or where it was asked for: `terminal`, `http` without keys, `migration`."
    )
    what: str = Field(examples=["create key 6f0a1b2c3d4e", "erase", "restore version 3", "calibrate"])
    user: str | None = Field(description="Whose rows it concerned; who was erased is a number.")


@router.get("/keys")
async def keys(
    request: Request,
    after: Annotated[str | None, Query(pattern=_ID, description="Only keys made after this one.")] = None,
    n: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> KeyPage:
    """All keys, without their secrets, a page at a time; needs the scope admin."""
    known, _ = _of(request)
    found = await _there(lambda: known.page(after, n))
    return KeyPage(keys=[_info(one) for one in found], next=found[-1].id if len(found) == n else None)


@router.post("/keys", status_code=201)
async def create(request: Request, new: NewKey) -> KeySecret:
    """Make a key; its secret is shown this once; needs the scope admin."""
    known, caller = _of(request)
    made, secret = await asyncio.to_thread(
        lambda: known.create_key(
            new.role,
            new.user,
            scopes=new.scopes,
            label=new.label,
            expires=None if new.expires is None else written(new.expires),
            who=caller.who,
        )
    )
    return KeySecret(key=_info(made), secret=secret)


@router.post("/keys/{id}/rotate")
async def rotate(request: Request, key: KeyId, asked: Rotation) -> KeySecret:
    """Give a key a new secret, shown this once; the old one may be valid for a while."""
    known, caller = _of(request)
    until = None if asked.old_until is None else written(asked.old_until)
    made, secret = await _there(lambda: known.rotate(key, old_until=until, who=caller.who))
    return KeySecret(key=_info(made), secret=secret)


@router.delete("/keys/{id}")
async def revoke(request: Request, key: KeyId) -> KeyInfo:
    """Refuse a key from now on; needs the scope admin."""
    known, caller = _of(request)
    return _info(await _there(lambda: known.revoke(key, who=caller.who)))


@router.get("/audit")
async def entries(
    request: Request,
    n: Annotated[int, Query(ge=1, le=1000)] = 100,
    before: Annotated[int | None, Query(ge=1, le=LARGEST, description="Only entries of lower ids.")] = None,
) -> list[AuditEntry]:
    """The last n things that were done to keys and to the store, oldest first; needs the scope admin."""
    known, _ = _of(request)
    found = await asyncio.to_thread(_entries, known, n, before)
    return [AuditEntry(**one.__dict__) for one in found]


def _entries(known: KeyStore, n: int, before: int | None) -> list[audit.Entry]:
    with known.database.reading() as sql:
        return audit.entries(sql, n, before)


async def _there(ask: Callable[[], T]) -> T:
    """What a store says of a key, 404 if it has no such key, or none that is valid."""
    try:
        return await asyncio.to_thread(ask)
    except StoreUnavailable:
        raise
    except StoreError as error:
        raise Problem(404, str(error)) from None


def _of(request: Request) -> tuple[KeyStore, Caller]:
    """The keys, and who asks, who must be an admin."""
    caller = cast("Caller", request.state.caller)
    caller.check("admin")
    return cast("KeyStore", request.app.state.keys), caller


def _info(key: Key) -> KeyInfo:
    return KeyInfo(**{**key.__dict__, "scopes": list(key.scopes)})
