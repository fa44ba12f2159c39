"""The JSON of requests and answers; the OpenAPI description is made from it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Problems: dict[str, Any] = {
    "description": "What was wrong, and the cure",
    "content": {
        "application/problem+json": {
            "schema": {
                "type": "object",
                "required": ["title", "status", "detail"],
                "properties": {
                    "type": {"type": "string"},
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "detail": {"type": "string"},
                },
            },
            "example": {
                "type": "about:blank",
                "title": "There is no such thing here",
                "status": 404,
                "detail": "there is no user 'ana'; rate some photos for the user first",
            },
        }
    },
}
ERRORS: dict[int | str, dict[str, Any]] = dict.fromkeys(
    (400, 401, 403, 404, 408, 409, 413, 422, 429, 501, 503), Problems
)


class _Json(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Health(_Json):
    """Whether the server is up."""

    status: str = Field(examples=["ok"])


class ModelInfo(_Json):
    """A generic model."""

    name: str = Field(examples=["piaa-lite"])
    hash: str
    scale: tuple[float, float]


class Asked(_Json):
    """Scores that are asked for without files: of photos seen before."""

    # A million values that are none are not looked at: the first will do.
    users: list[str] = Field(min_length=1, fail_fast=True, examples=[["ana"]])
    sha256: list[str] = Field(fail_fast=True, description="Content hashes of images seen before.")
    intervals: bool = False
    fallback: Literal["generic"] | None = None
    exact: bool = Field(
        True, description="As the adapter scores; false: without auto's smooth part, sooner for many users."
    )


def _known_schema() -> dict[str, Any]:
    """That of :class:`Asked` in JSON, which comes without files and so needs hashes."""
    made = Asked.model_json_schema()
    made["properties"]["sha256"]["minItems"] = 1
    return made


KNOWN: dict[str, Any] = {"requestBody": {"content": {"application/json": {"schema": _known_schema()}}}}
"""The other form of a request for scores; its answer is the same, and sooner there."""


class ImageResult(_Json):
    """What became of one image."""

    image: str = Field(examples=["beach.jpg"])
    sha256: str
    problem: str | None = Field(description="Why it has no score; null if it has one.")


class UserScores(_Json):
    """One user's scores, in the order of the images; null where an image has a problem."""

    user: str = Field(examples=["ana"])
    version: int | None = Field(description="Of the user's adapter; null for the generic score.")
    model_hash: str = Field(description="Of the model that answered.")
    fallback: bool = Field(description="The generic score was given, since there is no such fitted user.")
    scale: tuple[float, float]
    scores: list[float | None] = Field(examples=[[4.2, None]])
    low: list[float | None] | None = None
    high: list[float | None] | None = None
    exact: bool = Field(
        True, description="As the adapter scores; false where `exact=false` left out its smooth part."
    )
    problem: str | None = Field(None, description="Why the user has no scores; null if there are some.")


class Scores(_Json):
    """Scores of every image for every user."""

    model: str
    model_hash: str
    images: list[ImageResult]
    users: list[UserScores]


def _no_truth(value: object) -> object:
    """Raises ValueError for true and false, which would be the scores 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("is true or false, not a number")
    return value


class Rating(_Json):
    """One rating: of an image in this request, by its file name, or of one seen before, by its hash."""

    score: Annotated[float, BeforeValidator(_no_truth)] = Field(allow_inf_nan=False, examples=[4])
    image: str | None = Field(None, max_length=5000, examples=["beach.jpg"])
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$")


class Comparison(_Json):
    """Which of two photos is preferred: each by the name of an image in this request, or by its hash."""

    a: str = Field(min_length=1, max_length=5000, examples=["beach.jpg"])
    b: str = Field(min_length=1, max_length=5000, examples=["forest.jpg"])
    outcome: str = Field(pattern="^(a|b|equal)$", examples=["a"])


class Flag(_Json):
    """A photo picked or rejected: an image in this request, by its name, or one seen before, by its hash."""

    flag: str = Field(pattern="^(pick|reject)$", examples=["pick"])
    image: str | None = Field(None, max_length=5000, examples=["beach.jpg"])
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$")


class Rated(_Json):
    """What became of ratings, comparisons or flags."""

    user: str
    n_ratings: int = Field(description="How many ratings the user has now.")
    images: list[ImageResult]


class JobInfo(_Json):
    """A fit that was asked for."""

    id: str
    user: str
    adapter: str
    state: str = Field(examples=["queued", "running", "done", "failed"])
    version: int | None
    error: str | None


class Withdrawn(_Json):
    """What went with a rating that was withdrawn."""

    user: str
    n_ratings: int = Field(description="How many ratings the user has now.")
    deleted_versions: list[int] = Field(description="They were learned with it.")
    job: JobInfo | None = Field(
        description="The fit without it; null if the version that counts knew it not."
    )


class ChangeInfo(_Json):
    """One change of what a user said."""

    id: int
    at: str
    what: str = Field(examples=["rate", "replace", "compare", "flag", "withdraw", "restore", "undo"])
    source: str = Field(examples=["table", "python", "http"])
    n_added: int
    n_ended: int
    n_withdrawn: int
    version: int | None
    undone: bool


class VersionInfo(_Json):
    """One version of a user's adapter."""

    version: int
    created: str
    adapter: str
    model: str
    model_hash: str
    scale: tuple[float, float]
    n_ratings: int
    n_mapped: int = Field(
        0,
        description="Photos that are gone, whose vectors were worked out from another model's.",
    )


class UserInfo(_Json):
    """One user."""

    user: str
    active: int | None
    versions: list[VersionInfo]
    ratings: list[Rating]
    comparisons: list[Comparison]
    flags: list[Flag]


class GivenRating(Rating):
    """A rating as it is kept."""

    model_hash: str = Field(description="Which model made the vector.")
    vector: str | None = Field(
        description="The photo's vector: float32, little-endian, in base64; null if it was rated under "
        "another model."
    )


class UserExport(_Json):
    """All that is kept of a user."""

    user: str
    active: int | None
    scale: tuple[float, float]
    ratings: list[GivenRating]
    comparisons: list[Comparison]
    flags: list[Flag]
    history: list[ChangeInfo]
    adapters: dict[str, Any] = Field(
        description="All that was said, with all versions and their states; as a file of its own it is what "
        "`piaa users import` reads."
    )
    jobs: list[JobInfo]


class ErasedInfo(_Json):
    """What went with a user."""

    user: str
    n_ratings: int = Field(description="Those that were history included; likewise below.")
    n_comparisons: int
    n_flags: int
    n_versions: int
    n_jobs: int
    n_keys: int = Field(description="Keys of hers that are refused from now on.")
    n_photos: int = Field(description="Photos of which nobody else said anything: gone with their vectors.")
    n_remembered: int = Field(description="Pictures that this machine's feature cache has forgotten.")
    overwritten: bool = Field(
        description="Whether the bytes are overwritten, in the log too; else a later write does it, or the "
        "database when it vacuums. Backups are yours to delete."
    )


class Shared(_Json):
    """Photos that a user may name from now on."""

    user: str
    n_shared: int = Field(description="How many of them were seen before.")


class UserLine(_Json):
    """One user in the list."""

    user: str
    active: int | None
    n_ratings: int


class UserPage(_Json):
    """A page of users, in the order in which they came."""

    users: list[UserLine]
    next: int | None = Field(description="`after` of the next page; null at the end.")


class Suggestion(_Json):
    """A photo to rate, or two to compare, that would teach most about the photos' ranking."""

    sha256: str
    other: str | None = Field(None, description="The photo to compare it with; null: it is to be rated.")
    before: float = Field(
        description="Standard deviation of what the user would give these photos, level aside, before this "
        "answer and after those above; in the user's scale."
    )
    after: float = Field(description="The same after the answer.")
    gain: float = Field(
        description="What it is expected to add to the SRCC of their ranking with her ratings."
    )
