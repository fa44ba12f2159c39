"""Rows of photos: what a photo is, the files that hold it, its vectors."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from piaa.store.records import SeenPhoto
from piaa.store.sql import Sql, insert_many, run_in
from piaa.store.states import checksum

_REFERRING = (
    ("ratings", "photo_id"),
    ("flags", "photo_id"),
    ("comparisons", "photo_id"),
    ("comparisons", "other_id"),
    ("written", "photo_id"),
)


def name_identity(user: int, image: str) -> str:
    """Stands for the image data of a photo of which only a person's name for it is known."""
    return hashlib.sha256(f"name {user} {image}".encode(errors="surrogatepass")).hexdigest()


def model_id(sql: Sql, model_hash: str) -> int:
    """The number of a model, which is new if it was not known."""
    sql.run("INSERT INTO models (hash) VALUES (:hash) ON CONFLICT (hash) DO NOTHING", hash=model_hash)
    return int(sql.run("SELECT id FROM models WHERE hash = :hash", hash=model_hash)[0][0])


def keep_photos(sql: Sql, user: int, photos: Sequence[SeenPhoto], model_hash: str) -> dict[str, int]:
    """Note what was seen of photos, and their vectors.

    Photos that were known by their file alone, or by the person's name for them alone, are from now on known
    by their image data. One that is known by its image data stays what it is, whatever is said of its file.

    Args:
        sql: a transaction that holds the user's rows.
        user: the user's number.
        photos: what was seen.
        model_hash: of the model that made the vectors.

    Returns:
        the number of each photo, by identity.
    """
    sql.hold_photos()
    digests = [photo.sha256 for photo in photos if photo.sha256]
    chosen = "SELECT sha256, photo_id FROM file_digests WHERE sha256 IN {chosen}"
    known: dict[str | None, int] = dict(run_in(sql, chosen, digests))
    # Of some only the file's hash is at hand, which may be known to hold a photo.
    found = {one.identity: known[one.sha256] for one in photos if one.identity == one.sha256 in known}
    seen = {photo.identity: photo for photo in photos if photo.identity not in found}
    rows = [
        {"identity": one, "width": seen[one].width, "height": seen[one].height, "taken": seen[one].taken}
        for one in sorted(seen)
    ]
    insert_many(sql, "photos", rows, "ON CONFLICT (identity) DO NOTHING")
    found |= _numbers(sql, sorted(seen))
    _adopt(sql, user, photos, found, known)
    held = {photo.sha256: found[photo.identity] for photo in photos if photo.sha256}
    insert_many(
        sql,
        "file_digests",
        [{"sha256": digest, "photo_id": held[digest]} for digest in sorted(held)],
        "ON CONFLICT (sha256) DO NOTHING",
    )
    # Of a photo that was seen twice one may come without a vector: a flag says nothing of the picture.
    vectors = {found[photo.identity]: photo.vector for photo in photos if photo.vector is not None}
    keep_vectors(sql, vectors, model_hash)
    return found


def _numbers(sql: Sql, identities: Sequence[str]) -> dict[str, int]:
    return dict(run_in(sql, "SELECT identity, id FROM photos WHERE identity IN {chosen}", identities))


def _adopt(
    sql: Sql,
    user: int,
    photos: Sequence[SeenPhoto],
    found: Mapping[str, int],
    known: Mapping[str | None, int],
) -> None:
    """Give what was said of a photo under its file's sha256, or under its name, to the photo itself."""
    names = {name_identity(user, photo.image): photo for photo in photos}
    named = _numbers(sql, list(names))
    by_file = set(_numbers(sql, sorted(str(digest) for digest in known)).values())
    for photo in photos:
        other = known.get(photo.sha256)
        if other in by_file - {found[photo.identity]}:
            _merge(sql, int(other or 0), found[photo.identity])
    for identity, other in named.items():
        if other != found[names[identity].identity]:
            _merge(sql, other, found[names[identity].identity])


def _merge(sql: Sql, gone: int, kept: int) -> None:
    """Make two photos one. Of two ratings that count, by one person, the newer goes on counting."""
    values = {"gone": gone, "kept": kept}
    for table in ("ratings", "flags"):
        pairs = sql.run(
            "SELECT one.id, two.id, one.given > two.given, one.added_by, two.added_by"  # noqa: S608  (our names)
            f" FROM {table} AS one JOIN {table} AS two ON two.user_id = one.user_id"
            " WHERE one.photo_id = :gone AND two.photo_id = :kept"
            " AND one.ended_by IS NULL AND two.ended_by IS NULL",
            **values,
        )
        for one, two, newer, change, other in pairs:
            older, by = (two, change) if newer else (one, other)
            sql.run(f"UPDATE {table} SET ended_by = :by WHERE id = :id", by=by, id=older)  # noqa: S608
    # One row of a file; should the two differ, the other star is known from the file itself.
    sql.run(
        "DELETE FROM written WHERE photo_id = :gone AND EXISTS (SELECT 1 FROM written AS other WHERE"
        " other.photo_id = :kept AND other.user_id = written.user_id AND other.file = written.file)",
        **values,
    )
    for table, column in _REFERRING:
        sql.run(f"UPDATE {table} SET {column} = :kept WHERE {column} = :gone", **values)  # noqa: S608
    sql.run("UPDATE file_digests SET photo_id = :kept WHERE photo_id = :gone", **values)
    sql.run(
        "DELETE FROM vectors WHERE photo_id = :kept AND mapped = 1 AND model_id IN"
        " (SELECT model_id FROM vectors WHERE photo_id = :gone AND mapped = 0)",
        **values,
    )
    sql.run(
        "UPDATE vectors SET photo_id = :kept WHERE photo_id = :gone AND model_id NOT IN"
        " (SELECT model_id FROM vectors WHERE photo_id = :kept)",
        **values,
    )
    sql.run("DELETE FROM photos WHERE id = :gone", gone=gone)


def keep_vectors(
    sql: Sql, vectors: Mapping[int, NDArray[np.float32]], model_hash: str, *, mapped: bool = False
) -> None:
    """Keep the vectors of photos, by number.

    One that is there already stays, unless it was damaged, or mapped and the model has seen the photo now.

    Args:
        sql: a transaction.
        vectors: shape (1 + d,) each.
        model_hash: whose.
        mapped: whether they were worked out from another model's vectors.
    """
    if not vectors:
        return
    model, rows = model_id(sql, model_hash), []
    _, _, damaged = vectors_of(sql, vectors, model_hash)
    worse = damaged if mapped else damaged | mapped_among(sql, vectors, model_hash)
    run_in(
        sql,
        "DELETE FROM vectors WHERE model_id = :model AND photo_id IN {chosen}",
        sorted(worse),
        model=model,
    )
    for photo, vector in vectors.items():
        content = np.ascontiguousarray(vector, "<f4").tobytes()
        row = {"photo_id": photo, "model_id": model, "vector": content, "checksum": checksum(content)}
        rows.append({**row, "mapped": int(mapped)})
    insert_many(sql, "vectors", rows, "ON CONFLICT (photo_id, model_id) DO NOTHING")


def mapped_among(sql: Sql, photos: Iterable[int], model_hash: str) -> set[int]:
    """Those of these photos whose vector was worked out from another model's."""
    mapped = (
        "SELECT photo_id FROM vectors JOIN models ON models.id = model_id"
        " WHERE hash = :hash AND mapped = 1 AND photo_id IN {chosen}"
    )
    return {int(photo) for (photo,) in run_in(sql, mapped, sorted(set(photos)), hash=model_hash)}


def vectors_of(
    sql: Sql, photos: Iterable[int], model_hash: str
) -> tuple[dict[int, NDArray[np.float32]], dict[int, str], set[int]]:
    """Vectors of photos, by number, and their checksums; and which of them are damaged."""
    chosen = sorted(set(photos))
    rows = run_in(
        sql,
        "SELECT photo_id, vector, checksum FROM vectors JOIN models ON models.id = model_id"
        " WHERE hash = :hash AND photo_id IN {chosen}",
        chosen,
        hash=model_hash,
    )
    whole = {photo: content for photo, content, kept in rows if checksum(content) == kept}
    damaged = {photo for photo, _, _ in rows} - set(whole)
    return (
        {photo: np.frombuffer(content, "<f4") for photo, content in whole.items()},
        {photo: kept for photo, _, kept in rows},
        damaged,
    )


def drop_unused(sql: Sql, photos: Iterable[int]) -> list[str]:
    """Forget those of these photos of which nobody says anything any more, with their vectors.

    A photo for which a star was written stays: else that star would be taken for a person's own.

    Args:
        sql: a transaction that held the photos before it deleted what was said of them.
        photos: their numbers.

    Returns:
        the identities of those that went.
    """
    unused = " AND ".join(
        f"NOT EXISTS (SELECT 1 FROM {table} WHERE {column} = photos.id)"  # noqa: S608  (our own names)
        for table, column in _REFERRING
    )
    gone = f"DELETE FROM photos WHERE id IN {{chosen}} AND {unused} RETURNING identity"  # noqa: S608
    return [identity for (identity,) in run_in(sql, gone, sorted(set(photos)))]


def photos_of_user(sql: Sql, user: int, chosen: Collection[str] | None = None) -> list[int]:
    """Numbers of photos that a user ever said something of, or got a star for: all, or some by identity."""
    parts = " UNION ".join(
        f"SELECT {column} FROM {table} WHERE user_id = :user"  # noqa: S608  (our own names)
        for table, column in _REFERRING
    )
    found = {int(photo) for (photo,) in sql.run(parts, user=user)}
    return sorted(found if chosen is None else found & set(_numbers(sql, sorted(set(chosen))).values()))
