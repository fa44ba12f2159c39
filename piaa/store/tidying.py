"""What a store need not keep for ever: old versions, fits that ended, photos that were sent long ago."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from piaa.store.sent import SentStore
from piaa.store.sql import Database, run_in

_DAY_S = 86_400
_FOUND, _USERS, _JOBS, _FORMS = 20_000, 50, 2000, 100
"""What is looked up at once, and changed in one transaction: nobody is to wait long for it."""
_COUNTS = "EXISTS (SELECT 1 FROM active WHERE version_id = versions.id)"
_OLD = (
    "SELECT user_id, id FROM (SELECT id, user_id,"  # noqa: S608  (our own words)
    " row_number() OVER (PARTITION BY user_id ORDER BY number DESC) AS place FROM versions) AS versions"
    f" WHERE place > :n AND NOT {_COUNTS} ORDER BY user_id, id LIMIT :most"
)


@dataclass(frozen=True, kw_only=True)
class Retention:
    """What is kept; 0 keeps all."""

    versions: int = 5
    """Newest versions of each user; those that count stay beside them."""
    job_days: int = 30
    """How long fits that ended are kept, in days."""
    sent_bytes: int = 2**30
    """What photos that were sent may take, in bytes; here 0 keeps none."""
    sent_days: int = 30
    """How long they are kept, in days."""


@dataclass(frozen=True, kw_only=True)
class Tidied:
    """What went."""

    n_versions: int
    n_forms: int
    """Linear forms of versions that do not count: they are made again should one count again."""
    n_jobs: int
    n_sent: int
    """Rows of photos that were sent."""


class TidyStore:
    """Tidies a store, in small transactions.

    Args:
        database: where it lies.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def due(self, every_s: float) -> bool:
        """Whether the last time lies so long back; if so, this is the next: no two servers are told that."""
        before = time.time() - every_s
        with self.database.reading() as sql:
            if not sql.run("SELECT 1 FROM meta WHERE tidied < :before", before=before):
                return False
        with self.database.writing() as sql:
            claim = "UPDATE meta SET tidied = :now WHERE tidied < :before RETURNING 1"
            return bool(sql.run(claim, now=time.time(), before=before))

    def tidy(self, keep: Retention) -> Tidied:
        """Remove what need not be kept; version numbers are not given again."""
        now = time.time()
        return Tidied(
            n_versions=sum(self._drop_versions(keep.versions)) if keep.versions else 0,
            n_forms=sum(self._drop_forms()),
            n_jobs=sum(self._drop_jobs(now - _DAY_S * keep.job_days)) if keep.job_days else 0,
            n_sent=SentStore(self.database).trim(
                keep.sent_bytes, now - _DAY_S * keep.sent_days if keep.sent_days else 0.0
            ),
        )

    def _drop_versions(self, n: int) -> Iterator[int]:
        found = [(0, 0)] * _FOUND
        while len(found) == _FOUND:
            with self.database.reading() as sql:
                found = [(user, version) for user, version in sql.run(_OLD, n=n, most=_FOUND)]
            by_user = [(user, [one for _, one in rows]) for user, rows in groupby(found, lambda row: row[0])]
            for start in range(0, len(by_user), _USERS):
                yield self._drop_versions_of(dict(by_user[start : start + _USERS]))

    def _drop_versions_of(self, versions: dict[int, list[int]]) -> int:
        with self.database.writing() as sql:
            # The users first, as whoever has another version count does.
            lock = f"SELECT id FROM users WHERE id IN {{chosen}} ORDER BY id{sql.for_update}"  # noqa: S608
            run_in(sql, lock, list(versions))
            delete = f"DELETE FROM versions WHERE id IN {{chosen}} AND NOT {_COUNTS} RETURNING 1"  # noqa: S608
            return len(run_in(sql, delete, [one for some in versions.values() for one in some]))

    def _drop_forms(self) -> Iterator[int]:
        some = f"SELECT id FROM versions WHERE linear_form IS NOT NULL AND NOT {_COUNTS} LIMIT :n"  # noqa: S608
        gone = [()] * _FORMS
        while len(gone) == _FORMS:
            with self.database.writing() as sql:
                gone = sql.run(
                    "UPDATE versions SET linear_form = NULL, form_checksum = ''"  # noqa: S608
                    f" WHERE id IN ({some}) RETURNING 1",
                    n=_FORMS,
                )
            yield len(gone)

    def _drop_jobs(self, before: float) -> Iterator[int]:
        some = "SELECT id FROM jobs WHERE state IN ('done', 'failed') AND created < :before LIMIT :n"
        gone = [()] * _JOBS
        while len(gone) == _JOBS:
            with self.database.writing() as sql:
                gone = sql.run(f"DELETE FROM jobs WHERE id IN ({some}) RETURNING 1", before=before, n=_JOBS)  # noqa: S608
            yield len(gone)
