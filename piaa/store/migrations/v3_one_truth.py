"""One set of what a person said, whoever wrote it, in place of one list a version and one a server.

Ratings of versions and ratings given to a server are merged in order of time: of one photo the newest counts,
older ones stay as history. Nothing is dropped. A photo is known by the sha256 of its file until the file is
seen again, since its image data is not here. Vectors leave the states of the versions, where each version
had its own copy of them.
"""

from __future__ import annotations

from piaa.store.migrations.v3_move import Mover
from piaa.store.sql import Sql

_SET_ASIDE = (
    "ALTER TABLE adapters RENAME TO old_adapters",
    "ALTER TABLE ratings RENAME TO old_ratings",
    "ALTER TABLE given RENAME TO old_given",
)
_TABLES = (
    # What a photo is, whoever rated it.
    """CREATE TABLE photos (
        id {key}, identity TEXT NOT NULL UNIQUE, width INTEGER, height INTEGER, taken TEXT)""",
    """CREATE TABLE file_digests (
        sha256 TEXT NOT NULL PRIMARY KEY,
        photo_id BIGINT NOT NULL REFERENCES photos (id) ON DELETE CASCADE)""",
    "CREATE INDEX file_digests_by_photo ON file_digests (photo_id)",
    "CREATE TABLE models (id {key}, hash TEXT NOT NULL UNIQUE)",
    """CREATE TABLE vectors (
        photo_id BIGINT NOT NULL REFERENCES photos (id) ON DELETE CASCADE,
        model_id BIGINT NOT NULL REFERENCES models (id),
        vector {bytes} NOT NULL,
        checksum TEXT NOT NULL,
        PRIMARY KEY (photo_id, model_id))""",
    # What a person said. A row counts until a later change ends it; what is withdrawn is deleted.
    """CREATE TABLE changes (
        id {key},
        user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        at TEXT NOT NULL,
        what TEXT NOT NULL,
        source TEXT NOT NULL,
        undone_by BIGINT,
        version_before INTEGER,
        version_after INTEGER,
        model_id BIGINT REFERENCES models (id),
        n_withdrawn INTEGER NOT NULL DEFAULT 0)""",
    "CREATE INDEX changes_by_user ON changes (user_id)",
    """CREATE TABLE ratings (
        id {key},
        user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        photo_id BIGINT NOT NULL REFERENCES photos (id),
        image TEXT NOT NULL,
        sha256 TEXT,
        score DOUBLE PRECISION NOT NULL,
        scale_low DOUBLE PRECISION NOT NULL,
        scale_high DOUBLE PRECISION NOT NULL,
        given TEXT NOT NULL,
        source TEXT NOT NULL,
        added_by BIGINT NOT NULL,
        ended_by BIGINT)""",
    "CREATE UNIQUE INDEX ratings_active ON ratings (user_id, photo_id) WHERE ended_by IS NULL",
    "CREATE INDEX ratings_by_user ON ratings (user_id)",
    "CREATE INDEX ratings_by_photo ON ratings (photo_id)",
    """CREATE TABLE flags (
        id {key},
        user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        photo_id BIGINT NOT NULL REFERENCES photos (id),
        image TEXT NOT NULL,
        sha256 TEXT,
        flag TEXT NOT NULL,
        given TEXT NOT NULL,
        source TEXT NOT NULL,
        added_by BIGINT NOT NULL,
        ended_by BIGINT)""",
    "CREATE UNIQUE INDEX flags_active ON flags (user_id, photo_id) WHERE ended_by IS NULL",
    "CREATE INDEX flags_by_user ON flags (user_id)",
    "CREATE INDEX flags_by_photo ON flags (photo_id)",
    """CREATE TABLE comparisons (
        id {key},
        user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        photo_id BIGINT NOT NULL REFERENCES photos (id),
        image TEXT NOT NULL,
        other_id BIGINT NOT NULL REFERENCES photos (id),
        other_image TEXT NOT NULL,
        outcome TEXT NOT NULL,
        given TEXT NOT NULL,
        source TEXT NOT NULL,
        added_by BIGINT NOT NULL,
        ended_by BIGINT)""",
    "CREATE INDEX comparisons_by_user ON comparisons (user_id)",
    "CREATE INDEX comparisons_by_photo ON comparisons (photo_id)",
    "CREATE INDEX comparisons_by_other ON comparisons (other_id)",
    """CREATE TABLE written (
        user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        photo_id BIGINT NOT NULL REFERENCES photos (id) ON DELETE CASCADE,
        file TEXT NOT NULL,
        star INTEGER NOT NULL,
        at TEXT NOT NULL,
        PRIMARY KEY (user_id, photo_id, file))""",
    # What was learned from it.
    """CREATE TABLE versions (
        id {key},
        user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        created TEXT NOT NULL,
        adapter TEXT NOT NULL,
        model_id BIGINT NOT NULL REFERENCES models (id),
        model_name TEXT NOT NULL,
        scale_low DOUBLE PRECISION NOT NULL,
        scale_high DOUBLE PRECISION NOT NULL,
        n_ratings INTEGER NOT NULL,
        extra TEXT NOT NULL,
        state {bytes} NOT NULL,
        checksum TEXT NOT NULL,
        digest TEXT NOT NULL,
        learned_from TEXT NOT NULL,
        linear_form {bytes},
        form_checksum TEXT NOT NULL,
        UNIQUE (user_id, number))""",
    """CREATE TABLE version_ratings (
        version_id BIGINT NOT NULL REFERENCES versions (id) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        rating_id BIGINT NOT NULL REFERENCES ratings (id) ON DELETE CASCADE,
        PRIMARY KEY (version_id, position))""",
    "CREATE INDEX version_ratings_by_rating ON version_ratings (rating_id)",
    """CREATE TABLE version_comparisons (
        version_id BIGINT NOT NULL REFERENCES versions (id) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        comparison_id BIGINT NOT NULL REFERENCES comparisons (id) ON DELETE CASCADE,
        PRIMARY KEY (version_id, position))""",
    "CREATE INDEX version_comparisons_by_comparison ON version_comparisons (comparison_id)",
    """CREATE TABLE active (
        user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        model_id BIGINT NOT NULL REFERENCES models (id),
        version_id BIGINT NOT NULL REFERENCES versions (id) ON DELETE CASCADE,
        at TEXT NOT NULL,
        PRIMARY KEY (user_id, model_id))""",
    "CREATE INDEX active_by_version ON active (version_id)",
    # Numbers of versions are not given twice, even after versions were deleted.
    "ALTER TABLE users ADD COLUMN last_version INTEGER NOT NULL DEFAULT 0",
    # Work, and who did what.
    "ALTER TABLE jobs ADD COLUMN heartbeat DOUBLE PRECISION",
    "ALTER TABLE jobs ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0",
    "CREATE TABLE audit (id {key}, at TEXT NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL, user_name TEXT)",
)
_DROP = (
    "DROP TABLE old_ratings",
    "DROP TABLE old_adapters",
    "DROP TABLE old_given",
    "UPDATE users SET last_version ="
    " coalesce((SELECT max(number) FROM versions WHERE user_id = users.id), 0)",
    "ALTER TABLE users DROP COLUMN active",
    "DROP TABLE IF EXISTS alembic_version",
)


def upgrade(sql: Sql) -> None:
    """Move all people; their versions keep their numbers, states and scores."""
    for statement in (*_SET_ASIDE, *_TABLES):
        sql.run(statement.format(**sql.words))
    Mover(sql).move()
    for statement in _DROP:
        sql.run(statement)
