"""What serving needs: the version that counts, ratings given before a fit, fits to do, keys."""

from __future__ import annotations

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add to schema 1 without changing what is there; the newest version is the one that counts."""
    op.add_column("users", sa.Column("active", sa.Integer))
    op.execute("UPDATE users SET active = (SELECT max(version) FROM adapters WHERE user_id = users.id)")
    op.add_column("users", sa.Column("scale_low", sa.Double))
    op.add_column("users", sa.Column("scale_high", sa.Double))
    op.add_column("adapters", sa.Column("digest", sa.Text, nullable=False, server_default=""))
    op.add_column("adapters", sa.Column("head", sa.LargeBinary))
    _fill_digests()
    op.create_table(
        "given",
        _user_id(),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("image", sa.Text, nullable=False),
        sa.Column("score", sa.Double, nullable=False),
        sa.Column("created", sa.Text, nullable=False),
        sa.Column("model_hash", sa.Text, nullable=False),
        sa.Column("vector", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "sha256"),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.Text, primary_key=True),
        _user_id(index=True),
        sa.Column("adapter", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("lease", sa.Double, nullable=False),
        sa.Column("version", sa.Integer),
        sa.Column("error", sa.Text),
    )
    op.create_index("jobs_by_state", "jobs", ["state", "lease"])
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("hash", sa.Text, nullable=False, unique=True),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("user_name", sa.Text),
        sa.Column("created", sa.Text, nullable=False),
        sa.Column("revoked", sa.Text),
    )
    op.execute("UPDATE meta SET schema_version = 2")


def _user_id(*, index: bool = False) -> sa.Column[int]:
    owner = sa.ForeignKey("users.id", ondelete="CASCADE")
    return sa.Column("user_id", sa.Integer, owner, nullable=False, index=index)


def _fill_digests() -> None:
    connection = op.get_bind()
    # One state at a time: together they may be larger than the memory.
    for (key,) in connection.execute(sa.text("SELECT id FROM adapters")).fetchall():
        state = connection.execute(
            sa.text("SELECT state FROM adapters WHERE id = :id"), {"id": key}
        ).scalar_one()
        digest = hashlib.sha256(state).hexdigest()
        connection.execute(
            sa.text("UPDATE adapters SET digest = :digest WHERE id = :id"), {"digest": digest, "id": key}
        )
