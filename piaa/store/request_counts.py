"""How often somebody asked, counted by all servers of a store together, ten seconds at a time."""

from __future__ import annotations

from collections.abc import Mapping

from piaa.store.sql import Database

SPAN_S = 10
"""What is counted together, in seconds; a span's number is the time divided by this."""
_MOST = 10_000
"""How many counts are given out: those of whoever asked most, which are the ones that matter."""

Counts = dict[tuple[str, int], int]
"""By who, and the number of the span."""


class CountStore:
    """The counts of a store.

    Args:
        database: where it lies.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def exchange(self, more: Mapping[tuple[str, int], int], since: int) -> Counts:
        """Add to the counts, and get what everybody together has added; one transaction.

        Args:
            more: what is to be added.
            since: the first span that still matters; what was counted before it is deleted.
        """
        # In one order for all: two servers that wait for each other's rows would never end.
        rows = [{"who": who, "span": span, "n": n} for (who, span), n in sorted(more.items())]
        with self.database.writing() as sql:
            sql.run("DELETE FROM request_counts WHERE span < :since", since=since)
            sql.run_many(
                "INSERT INTO request_counts (who, span, n) VALUES (:who, :span, :n)"
                " ON CONFLICT (who, span) DO UPDATE SET n = request_counts.n + excluded.n",
                rows,
            )
            found = sql.run(
                "SELECT who, span, n FROM request_counts WHERE span >= :since ORDER BY n DESC LIMIT :most",
                since=since,
                most=_MOST,
            )
        return {(str(who), int(span)): int(n) for who, span, n in found}
