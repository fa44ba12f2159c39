"""What serving keeps beside the adapters: ratings given before a fit, fits to do, linear forms."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from generic.errors import ScaleError, TooFewRatings, UnknownUser
from piaa.store.database import StoreDatabase
from piaa.store.records import AdapterRecord, check_user
from piaa.store.transaction import Sql, names_of
from piaa.store.versions import add_version, now, user_id

LEASE_S = 30.0
"""How long a fit may be silent before another server takes it over, in seconds."""
_NAMES = 500


@dataclass(frozen=True, kw_only=True)
class Given:
    """One rating that a person gave."""

    sha256: str
    """Hash of the image file, 64 hex digits."""
    image: str
    """What the client called it."""
    score: float
    """In the units of the person's scale."""
    model_hash: str
    """Which model made the vector."""
    vector: bytes
    """The model vector, little-endian float32."""


@dataclass(frozen=True, kw_only=True)
class Active:
    """Which adapter counts for a user now."""

    user: str
    version: int
    adapter: str
    model_hash: str
    scale: tuple[float, float]
    digest: str
    """Hash of the adapter's state: what was computed from the same digest is still right."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One fit that was asked for."""

    id: str
    user: str
    adapter: str
    state: str
    """``queued``, ``running``, ``done`` or ``failed``."""
    version: int | None
    error: str | None


_JOB = "SELECT jobs.id, name, adapter, state, version, error FROM jobs JOIN users ON users.id = user_id"


class ServiceStore:
    """The store as a server sees it; every method is one transaction.

    Args:
        database: where it lies.
    """

    def __init__(self, database: StoreDatabase) -> None:
        self.database = database

    # Ratings.

    def rate(self, user: str, given: Sequence[Given], scale: tuple[float, float] | None) -> int:
        """Keep ratings; a photo rated again has its new score. The user is created if new.

        Args:
            user: whose they are.
            given: the ratings.
            scale: the ends of the scale; None is that of the ratings before, and 1 to 5 for a new user.

        Returns:
            how many ratings the user has now.

        Raises:
            ScaleError: the scale is not that of the ratings before, or a score lies outside of it.
        """
        check_user(user)
        with self.database.writing() as sql:
            number = user_id(sql, user)
            known = sql.run("SELECT scale_low, scale_high FROM users WHERE id = :id", id=number)[0]
            before = None if known[0] is None else (float(known[0]), float(known[1]))
            used = scale or before or (1.0, 5.0)
            if before not in (None, used):
                raise ScaleError(
                    f"user {user!r} rated on {before} so far, not on {used}; "
                    "rate on the same scale, or delete the user first"
                )
            _check_scores(given, used)
            sql.run(
                "UPDATE users SET scale_low = :low, scale_high = :high WHERE id = :id",
                low=used[0],
                high=used[1],
                id=number,
            )
            sql.run_many(
                "INSERT INTO given (user_id, sha256, image, score, created, model_hash, vector) VALUES"
                " (:user_id, :sha256, :image, :score, :created, :model_hash, :vector)"
                " ON CONFLICT (user_id, sha256) DO UPDATE SET image = excluded.image, score = excluded.score,"
                " created = excluded.created, model_hash = excluded.model_hash, vector = excluded.vector",
                [{**one.__dict__, "user_id": number, "created": now()} for one in given],
            )
            return int(sql.run("SELECT count(*) FROM given WHERE user_id = :id", id=number)[0][0])

    def given(self, user: str) -> tuple[list[Given], tuple[float, float]]:
        """All ratings that a user gave, in one order, and the scale.

        Raises:
            UnknownUser: there is no such user.
            TooFewRatings: the user gave none.
        """
        with self.database.reading() as sql:
            number, low, high = self._user(sql, user)
            rows = sql.run(
                "SELECT sha256, image, score, model_hash, vector FROM given WHERE user_id = :id"
                " ORDER BY sha256",
                id=number,
            )
        if not rows:
            raise TooFewRatings(
                f"user {user!r} gave 0 ratings, but at least 1 is needed; rate some photos first"
            )
        names = ("sha256", "image", "score", "model_hash", "vector")
        return [Given(**dict(zip(names, row, strict=True))) for row in rows], (low, high)

    # Users.

    def page(self, after: int, n: int) -> list[tuple[int, str, int | None, int]]:
        """Up to n users with numbers above ``after``: number, name, active version, ratings given."""
        with self.database.reading() as sql:
            return [
                (number, name, active, count)
                for number, name, active, count in sql.run(
                    "SELECT id, name, active, (SELECT count(*) FROM given WHERE user_id = users.id)"
                    " FROM users WHERE id > :after ORDER BY id LIMIT :n",
                    after=after,
                    n=n,
                )
            ]

    def require(self, user: str) -> None:
        """Raises UnknownUser unless there is such a user.

        Raises:
            UnknownUser: there is not.
        """
        with self.database.reading() as sql:
            self._user(sql, user)

    def scale(self, user: str) -> tuple[float, float]:
        """The ends of a user's scale.

        Raises:
            UnknownUser: there is no such user.
        """
        with self.database.reading() as sql:
            return self._user(sql, user)[1:]

    def jobs(self, user: str) -> list[Job]:
        """All fits that were asked for a user, oldest first.

        Raises:
            UnknownUser: there is no such user.
        """
        with self.database.reading() as sql:
            number = self._user(sql, user)[0]
            rows = sql.run(f"{_JOB} WHERE user_id = :id ORDER BY jobs.created", id=number)
        return [_job(row) for row in rows]

    def erase(self, user: str) -> None:
        """Remove everything of a user: ratings, vectors, adapters, jobs.

        Raises:
            UnknownUser: there is no such user.
        """
        with self.database.writing() as sql:
            sql.run("DELETE FROM users WHERE id = :id", id=self._user(sql, user)[0])
        self.database.scrub()

    # Adapters to score with.

    def active(self, users: Sequence[str]) -> dict[str, Active]:
        """The adapter that counts for each of these users that has one."""
        found: dict[str, Active] = {}
        with self.database.reading() as sql:
            for start in range(0, len(users), _NAMES):
                marks, values = names_of(users[start : start + _NAMES])
                rows = sql.run(
                    "SELECT name, version, adapter, model_hash, adapters.scale_low, adapters.scale_high,"  # noqa: S608
                    " digest"
                    " FROM users JOIN adapters ON adapters.user_id = users.id AND version = active"
                    f" WHERE name IN {marks}",
                    **values,
                )
                for name, version, adapter, model, low, high, digest in rows:
                    found[name] = Active(
                        user=name,
                        version=version,
                        adapter=adapter,
                        model_hash=model,
                        scale=(low, high),
                        digest=digest,
                    )
        return found

    def linear_forms(self, users: Sequence[str]) -> dict[str, tuple[str, bytes | None]]:
        """Digest and stored linear form of the active adapter of each of these users."""
        return self._column(users, "head")

    def states(self, users: Sequence[str]) -> dict[str, tuple[str, bytes]]:
        """Digest and state of the active adapter of each of these users."""
        return self._column(users, "state")  # type: ignore[return-value]

    def _column(self, users: Sequence[str], column: str) -> dict[str, tuple[str, bytes | None]]:
        found: dict[str, tuple[str, bytes | None]] = {}
        with self.database.reading() as sql:
            for start in range(0, len(users), _NAMES):
                marks, values = names_of(users[start : start + _NAMES])
                rows = sql.run(
                    f"SELECT name, digest, {column} FROM users JOIN adapters ON user_id = users.id"  # noqa: S608
                    f" AND version = active WHERE name IN {marks}",
                    **values,
                )
                found.update({name: (digest, value) for name, digest, value in rows})
        return found

    # Jobs.

    def enqueue(self, user: str, adapter: str) -> Job:
        """Ask for a fit; the one that already waits for this user and adapter will do.

        Raises:
            UnknownUser: there is no such user.
        """
        with self.database.writing() as sql:
            number = self._user(sql, user, sql.for_update)[0]
            waiting = sql.run(
                f"{_JOB} WHERE user_id = :id AND adapter = :adapter AND state = 'queued'",
                id=number,
                adapter=adapter,
            )
            if waiting:
                return _job(waiting[0])
            job = uuid.uuid4().hex
            sql.run(
                "INSERT INTO jobs (id, user_id, adapter, state, created, lease)"
                " VALUES (:job, :user, :adapter, 'queued', :now, 0)",
                job=job,
                user=number,
                adapter=adapter,
                now=time.time(),
            )
            return Job(id=job, user=user, adapter=adapter, state="queued", version=None, error=None)

    def job(self, job: str) -> Job | None:
        """One job, or None."""
        with self.database.reading() as sql:
            rows = sql.run(f"{_JOB} WHERE jobs.id = :job", job=job)
        return _job(rows[0]) if rows else None

    def n_waiting(self) -> int:
        """How many fits wait or run."""
        with self.database.reading() as sql:
            return int(sql.run("SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')")[0][0])

    def claim(self) -> Job | None:
        """Take the oldest fit that waits, or whose server fell silent; None if there is none."""
        with self.database.reading() as sql:
            rows = self._claimable(sql, "")
        if not rows:
            return None
        with self.database.writing() as sql:
            rows = self._claimable(sql, f"{sql.for_update} SKIP LOCKED" if sql.for_update else "")
            if not rows:
                return None
            sql.run(
                "UPDATE jobs SET state = 'running', lease = :lease WHERE id = :id",
                lease=time.time() + LEASE_S,
                id=rows[0][0],
            )
            return _job(sql.run(f"{_JOB} WHERE jobs.id = :job", job=rows[0][0])[0])

    @staticmethod
    def _claimable(sql: Sql, lock: str) -> list[tuple[str, ...]]:
        return sql.run(
            "SELECT id FROM jobs WHERE state = 'queued' OR (state = 'running' AND lease < :now)"  # noqa: S608
            f" ORDER BY created LIMIT 1{lock}",
            now=time.time(),
        )

    def finish(self, job: Job, record: AdapterRecord, linear_form: bytes | None) -> int | None:
        """Keep what a fit gave and end its job, both or neither.

        Returns:
            the new version; None if the user was deleted meanwhile, or another server finished the job.
        """
        with self.database.writing() as sql:
            owner = sql.run(
                f"SELECT user_id FROM jobs WHERE id = :id AND state = 'running'{sql.for_update}",  # noqa: S608
                id=job.id,
            )
            if not owner:
                return None
            sql.run(f"SELECT id FROM users WHERE id = :id{sql.for_update}", id=owner[0][0])  # noqa: S608
            version = add_version(sql, owner[0][0], record, linear_form)
            sql.run("UPDATE jobs SET state = 'done', version = :v WHERE id = :id", v=version, id=job.id)
            return version

    def fail(self, job: Job, error: str) -> None:
        """End a job without an adapter."""
        with self.database.writing() as sql:
            sql.run("UPDATE jobs SET state = 'failed', error = :error WHERE id = :id", error=error, id=job.id)

    def _user(self, sql: Sql, user: str, lock: str = "") -> tuple[int, float, float]:
        check_user(user)
        rows = sql.run(f"SELECT id, scale_low, scale_high FROM users WHERE name = :user{lock}", user=user)  # noqa: S608
        if not rows:
            raise UnknownUser(f"there is no user {user!r}; rate some photos for the user first")
        number, low, high = rows[0]
        return int(number), low, high


def _check_scores(given: Sequence[Given], scale: tuple[float, float]) -> None:
    for one in given:
        if not scale[0] <= one.score <= scale[1]:
            raise ScaleError(
                f"score {one.score:g} of image {one.image!r} lies outside the scale "
                f"{scale[0]:g}..{scale[1]:g}; correct the score or give its real scale"
            )


def _job(row: tuple[object, ...]) -> Job:
    names = ("id", "user", "adapter", "state", "version", "error")
    return Job(**dict(zip(names, row, strict=True)))  # type: ignore[arg-type]
