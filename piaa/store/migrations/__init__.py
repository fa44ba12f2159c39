"""The store's schema as a chain of Alembic revisions, and how a database is brought to its end.

``schema.sql`` is what the chain makes of an empty SQLite file. A new file is made from it, since
importing Alembic takes longer than everything else that a first fit does; a test holds the two together.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Connection

SCHEMA = 2
"""``meta.schema_version`` at the end of the chain."""
_FIRST = "0001"
_FOLDER = Path(__file__).parent


def statements() -> list[str]:
    """What makes an empty SQLite file a store of today's schema."""
    text = (_FOLDER / "schema.sql").read_text(encoding="utf-8")
    return [statement.strip() for statement in text.split(";\n") if statement.strip()]


def upgrade(connection: Connection) -> None:
    """Bring a database to today's schema, inside the connection's transaction, which stays open.

    Args:
        connection: to an empty database, or to one of any earlier schema. Files from before the chain
            have its first revision's tables and no note of it.
    """
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    from alembic.script import ScriptDirectory
    from sqlalchemy import inspect

    script = ScriptDirectory(str(_FOLDER))
    context = MigrationContext.configure(
        connection,
        opts={"fn": lambda revision, _: script._upgrade_revs("head", revision), "transactional_ddl": False},
    )
    tables = set(inspect(connection).get_table_names())
    if "meta" in tables and "alembic_version" not in tables:
        context.stamp(script, _FIRST)
    with Operations.context(context):
        context.run_migrations()
