"""Users and the versions of their adapters, each with the ratings that it was fitted on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables of schema 1; text, numbers and bytes only, alike in SQLite and PostgreSQL."""
    op.create_table("meta", sa.Column("schema_version", sa.Integer, nullable=False))
    op.create_table(
        "users",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("created", sa.Text, nullable=False),
    )
    op.create_table(
        "adapters",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("created", "adapter", "model_name", "model_hash")
        ),
        sa.Column("scale_low", sa.Double, nullable=False),
        sa.Column("scale_high", sa.Double, nullable=False),
        sa.Column("n_ratings", sa.Integer, nullable=False),
        sa.Column("extra", sa.Text, nullable=False),
        sa.Column("state", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("user_id", "version"),
    )
    op.create_table(
        "ratings",
        sa.Column("adapter_id", sa.Integer, sa.ForeignKey("adapters.id", ondelete="CASCADE"), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("image", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text),
        sa.Column("score", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("adapter_id", "position"),
    )
    op.execute("INSERT INTO meta VALUES (1)")
