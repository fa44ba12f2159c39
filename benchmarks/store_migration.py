"""How long today's piaa takes to open a store of schema 2, and what comes of its size.

    uv run python benchmarks/store_migration.py --people 100000
    .ci/postgres sh -c 'uv run python benchmarks/store_migration.py --postgres $PIAA_TEST_POSTGRES_URL'

Who is in the store: schema_2.py. It is some 90 kB a person on disk, and lies in a temporary folder.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from bulk import Rows
from record import table, tell, write_result
from schema_2 import People, write_file, write_postgres


def migrate(place: str | Path) -> None:
    """Open a store with today's piaa, which brings it to today's schema."""
    from piaa.store.place import open_database

    database = open_database(place)
    with database.writing():
        pass
    database.close()


def told(batches: Iterable[Rows], people: int) -> Iterator[Rows]:
    """The batches, with a line of progress for every tenth of the people."""
    done = 0
    for rows in batches:
        yield rows
        before, done = done, done + len(rows["users"])
        if 10 * before // people != 10 * done // people:
            tell(f"{done} people")


def size_of(place: str | Path) -> int:
    """Bytes of a file with what lies beside it, or of a database."""
    if isinstance(place, Path):
        return sum(path.stat().st_size for path in place.parent.glob(f"{place.name}*"))
    import psycopg

    with psycopg.connect(place) as connection:
        [(size,)] = connection.execute("SELECT pg_database_size(current_database())").fetchall()
    return int(size)


def measure(place: str | Path, people: int) -> dict[str, float]:
    """Write a store and open it."""
    started = time.perf_counter()
    batches = told(People().batches(people), people)
    if isinstance(place, Path):
        write_file(place, batches)
    else:
        write_postgres(place, batches)
    written, size = time.perf_counter(), size_of(place)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tell(f"{size / 1e6:.0f} MB written in {written - started:.1f} s; opening it")
    before = time.perf_counter()
    migrate(place)
    return {
        "people": people,
        "written_s": written - started,
        "bytes_before": size,
        "migrated_s": time.perf_counter() - before,
        "bytes_after_with_what_is_kept": size_of(place),
        "peak_memory_before_MB": peak / 1024,
        "peak_memory_MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def markdown(found: dict[str, dict[str, float]]) -> str:
    """A row a database."""
    names = {"file": "SQLite, with the copy that is kept", "postgres": "PostgreSQL"}
    rows = [
        [
            names[kind],
            f"{one['people']:,.0f}",
            f"{one['bytes_before'] / 1e9:.2f} GB",
            f"{one['migrated_s']:.0f} s",
            f"{one['bytes_after_with_what_is_kept'] / 1e9:.2f} GB",
        ]
        for kind, one in found.items()
    ]
    return table(("store of schema 2", "people", "before", "locked for", "after"), rows)


def main() -> None:
    """Write, open, and write down how long it took."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--postgres", metavar="URL", help="an empty database, measured as well")
    parser.add_argument("--folder", type=Path, help="where the file is written for the time; default: /tmp")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        found = {"file": measure(Path(folder, "piaa.db"), given.people)}
    if given.postgres:
        found["postgres"] = measure(given.postgres, given.people)
    command = f"uv run python benchmarks/store_migration.py --people {given.people}"
    command += " --postgres URL" * bool(given.postgres)
    write_result("store_migration", command, {**found, "markdown": markdown(found)})
    print(markdown(found))


if __name__ == "__main__":
    main()
