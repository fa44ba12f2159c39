"""Fits that were asked for: who does one holds a lease on it, and says from time to time that it lives."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass

from piaa.store.records import AdapterRecord, check_user
from piaa.store.said import Said
from piaa.store.sql import Database, Rows, Sql
from piaa.store.store import still_said
from piaa.store.users import find_user
from piaa.store.versions import add_version

LEASE_S = 30.0
"""How long a fit may be silent before another server takes it over, in seconds."""
ATTEMPTS = 3
"""How often a fit is taken up before it counts as failed: one that kills its server must not kill all."""


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


@dataclass(frozen=True, kw_only=True)
class Claimed(Job):
    """A fit that a server took up."""

    attempt: int
    """How often it was taken up by now: who was overtaken has an older number, and changes nothing."""
    taken_over: bool = False
    """Whether it was taken from a server that fell silent."""


_JOB = "SELECT jobs.id, name, adapter, state, version, error FROM jobs JOIN users ON users.id = user_id"


class JobStore:
    """The fits of a store; every method is one transaction.

    Args:
        database: where it lies.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def of_user(self, user: str) -> list[Job]:
        """All fits that were asked for a user, oldest first.

        Raises:
            UnknownUser: there is no such user.
        """
        with self.database.reading() as sql:
            rows = sql.run(f"{_JOB} WHERE user_id = :id ORDER BY jobs.created", id=self._user(sql, user))
        return [_job(row) for row in rows]

    def enqueue(self, user: str, adapter: str) -> Job:
        """Ask for a fit; the one that already waits for this user and adapter will do.

        Raises:
            UnknownUser: there is no such user.
        """
        with self.database.writing() as sql:
            number = self._user(sql, user, lock=True)
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

    def waiting_s(self) -> float:
        """How long the fit that came first has waited, in seconds; 0 if none waits."""
        with self.database.reading() as sql:
            (oldest,) = sql.run("SELECT min(created) FROM jobs WHERE state = 'queued'")[0]
        return 0.0 if oldest is None else max(0.0, time.time() - float(oldest))

    def claim(self) -> Claimed | None:
        """Take a fit that waits, or whose server fell silent; None if there is none.

        First comes who had no fit yet, then whoever's last one lies longest back; nobody has two at once. One
        that was taken up too often fails: whoever did it died of it.
        """
        with self.database.reading() as sql:
            rows = self._claimable(sql, "")
        if not rows:
            return None
        with self.database.writing() as sql:
            rows = self._claimable(sql, f"{sql.for_update} SKIP LOCKED" if sql.for_update else "")
            if not rows:
                return None
            job, attempts = str(rows[0][0]), int(rows[0][1])
            if attempts >= ATTEMPTS:
                reason = f"the server ended {attempts} times while it did this fit; it is not tried again"
                self._end(sql, job, attempts, reason)
                return None
            sql.run(
                "UPDATE jobs SET state = 'running', lease = :lease, heartbeat = :now, attempts = attempts + 1"
                " WHERE id = :id",
                now=time.time(),
                lease=time.time() + LEASE_S,
                id=job,
            )
            found = _job(sql.run(f"{_JOB} WHERE jobs.id = :job", job=job)[0])
            return Claimed(**found.__dict__, attempt=attempts + 1, taken_over=rows[0][2] == "running")

    @staticmethod
    def _claimable(sql: Sql, lock: str) -> Rows:
        return sql.run(
            "SELECT id, attempts, state FROM jobs"  # noqa: S608
            " WHERE (state = 'queued' OR (state = 'running' AND lease < :now))"
            " AND NOT EXISTS (SELECT 1 FROM jobs AS other WHERE other.user_id = jobs.user_id"
            " AND other.id <> jobs.id AND other.state = 'running' AND other.lease >= :now)"
            " ORDER BY coalesce((SELECT max(heartbeat) FROM jobs AS other WHERE other.user_id = jobs.user_id"
            f" AND other.id <> jobs.id), 0), created LIMIT 1{lock}",
            now=time.time(),
        )

    def beat(self, job: Claimed) -> None:
        """Say that a fit goes on."""
        with self.database.writing() as sql:
            sql.run(
                "UPDATE jobs SET heartbeat = :now, lease = :lease WHERE id = :id AND state = 'running'"
                " AND attempts = :attempt",
                now=time.time(),
                lease=time.time() + LEASE_S,
                id=job.id,
                attempt=job.attempt,
            )

    def release(self, job: Claimed, reason: str | None) -> None:
        """Give up a fit that did not come to its end: it waits again, or fails if it was tried too often.

        Args:
            job: the fit.
            reason: of what its process died; None if it is well, and stops: then this was no attempt.
        """
        with self.database.writing() as sql:
            if reason is not None and job.attempt >= ATTEMPTS:
                self._end(sql, job.id, job.attempt, f"{reason}, {ATTEMPTS} times; it is not tried again")
                return
            sql.run(
                "UPDATE jobs SET state = 'queued', lease = 0, attempts = :less"
                " WHERE id = :id AND state = 'running' AND attempts = :attempt",
                id=job.id,
                attempt=job.attempt,
                less=job.attempt - (reason is None),
            )

    def finish(
        self, job: Claimed, record: AdapterRecord, learned: Said, linear_form: bytes | None
    ) -> int | None:
        """Keep what a fit gave and end its job, both or neither.

        Returns:
            the new version; None if the user was deleted meanwhile, or withdrew something of it, or a version
            was restored or a change undone, or another server finished the job.
        """
        with self.database.writing() as sql:
            # The user before the job, as whoever erases her does: two that wait for each other never end.
            owner = sql.run(
                "SELECT id FROM users WHERE id ="  # noqa: S608  (our own words)
                f" (SELECT user_id FROM jobs WHERE id = :id){sql.for_update}",
                id=job.id,
            )
            running = (
                "SELECT 1 FROM jobs WHERE id = :id AND state = 'running' AND attempts = :attempt"  # noqa: S608
                f"{sql.for_update}"
            )
            if not owner or not sql.run(running, id=job.id, attempt=job.attempt):
                return None
            user = int(owner[0][0])
            if not still_said(sql, user, record, learned):
                # Its server is well: what counts as an attempt is one that ended its server.
                sql.run("UPDATE jobs SET state = 'queued', attempts = 0 WHERE id = :id", id=job.id)
                return None
            version = add_version(sql, user, record, learned.digest, linear_form)
            sql.run("UPDATE jobs SET state = 'done', version = :v WHERE id = :id", v=version, id=job.id)
            return version

    def fail(self, job: Claimed, error: str) -> None:
        """End a job without an adapter; nothing changes if another server took it over."""
        with self.database.writing() as sql:
            self._end(sql, job.id, job.attempt, error)

    @staticmethod
    def _end(sql: Sql, job: str, attempt: int, error: str) -> None:
        sql.run(
            "UPDATE jobs SET state = 'failed', error = :error WHERE id = :id AND state = 'running'"
            " AND attempts = :attempt",
            error=error,
            id=job,
            attempt=attempt,
        )

    def _user(self, sql: Sql, user: str, *, lock: bool = False) -> int:
        check_user(user)
        return find_user(sql, user, self.database, lock=lock)


def _job(row: tuple[object, ...]) -> Job:
    names = ("id", "user", "adapter", "state", "version", "error")
    return Job(**dict(zip(names, row, strict=True)))  # type: ignore[arg-type]
