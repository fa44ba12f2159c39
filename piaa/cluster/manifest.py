"""A source's photos written down once, so that many machines agree on what there is to do.

A manifest is a folder: one Parquet file a shard, under the shard's name, and ``manifest.parquet`` which names
the shards in their order. It is written last: a manifest that was broken off is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from generic.errors import ClusterError
from generic.progress import Progress, no_progress
from piaa.cluster.before import Range, range_of, write_before
from piaa.cluster.cutting import Cut, cut
from piaa.cluster.folder import Folder
from piaa.cluster.found import Found
from piaa.cluster.listing import list_photos
from piaa.cluster.tables import Table, facts_of, packed, read_table

INDEX = "manifest.parquet"
_FORMAT = "piaa manifest 1"
SHARD_SIZE = 10_000
"""Photos in a shard, about: a quarter of an hour of one core."""


@dataclass(frozen=True)
class Shard:
    """One piece of work."""

    name: str
    n_photos: int
    n_bytes: int
    """Of its photos' files."""


@dataclass(frozen=True)
class Manifest:
    """What there is to do."""

    source: str
    """As it was given."""
    shards: tuple[Shard, ...]
    """In the order of the source."""

    @property
    def n_photos(self) -> int:
        """Of all shards."""
        return sum(shard.n_photos for shard in self.shards)


@dataclass(frozen=True)
class Written:
    """What became of a listing."""

    manifest: Manifest
    n_new: int
    """Shards that were not there before."""
    n_gone: int
    """Shards of before that are no part of it any more."""


def write_manifest(
    source: str, folder: Folder, *, shard_size: int = SHARD_SIZE, progress: Progress = no_progress
) -> Written:
    """List a source; memory grows by a shard's photos and by the shards' names, by a list's digests too.

    Args:
        source: see :func:`piaa.cluster.listing.list_photos`.
        folder: of the manifest; one of before is brought up to date.
        shard_size: photos in a shard, about.
        progress: called with the number of photos newly listed.

    Raises:
        ClusterError: the source cannot be listed, holds no photo or one twice, or the folder is a bucket
            that refuses.
        OutputError: the folder cannot be written.
    """
    before = read_manifest(folder).shards if folder.read(INDEX) else ()
    old, there = {shard.name for shard in before}, set(folder.stamps())
    shards: list[Shard] = []
    new: list[Range] = []
    for piece in cut(list_photos(source), shard_size):
        if piece.name not in old:
            new.append(range_of(piece.name, piece.photos))
        if f"{piece.name}.parquet" not in there:
            folder.write(f"{piece.name}.parquet", packed(_rows(piece)))
        shards.append(Shard(piece.name, len(piece.photos), sum(photo.size for photo in piece.photos)))
        progress(len(piece.photos))
    manifest = Manifest(source, tuple(shards))
    _check(manifest)
    names = {shard.name for shard in shards}
    if before:
        write_before(folder, new, _ranges(folder, old - names), old & names)
    folder.write(INDEX, packed(shards_table(shards), {"format": _FORMAT, "source": source}))
    return Written(manifest, n_new=len(names - old), n_gone=len(old - names))


def _ranges(folder: Folder, shards: Iterable[str]) -> Iterator[Range]:
    """Of those shards that are whole."""
    for name in shards:
        with suppress(ClusterError):
            yield range_of(name, photos_of_shard(folder, name))


def _check(manifest: Manifest) -> None:
    if not manifest.shards:
        raise ClusterError(f"{manifest.source} holds no photos; check the place")
    names = [shard.name for shard in manifest.shards]
    if len(set(names)) < len(names):
        raise ClusterError(f"{manifest.source} names the same photos twice; give each once")


def read_manifest(folder: Folder) -> Manifest:
    """A manifest.

    Raises:
        ClusterError: there is none, or it is damaged.
    """
    table = read_table(folder, INDEX)
    if table is None or facts_of(table).get("format") != _FORMAT:
        raise ClusterError(
            f"{folder.shown} holds no manifest of this piaa; make one: piaa manifest SOURCE --out "
            f"{folder.shown}"
        )
    return Manifest(facts_of(table)["source"], shards_of(table))


def read_photos(folder: Folder, shard: Shard) -> Sequence[Found]:
    """The photos of a shard, in their order.

    Raises:
        ClusterError: its file is not there, or is not what the manifest says.
    """
    return photos_of_shard(folder, shard.name)


def photos_of_shard(folder: Folder, name: str) -> Sequence[Found]:
    """As :func:`read_photos`, of a shard by its name, which an earlier manifest may have had."""
    table = read_table(folder, f"{name}.parquet")
    columns = [] if table is None else [table[name].to_pylist() for name in Found._fields]
    photos = tuple(Found(*row) for row in zip(*columns, strict=True))
    if Cut(photos).name != name:
        raise ClusterError(
            f"the photos of shard {name} in {folder.shown} are missing or damaged; give the same "
            "piaa manifest again"
        )
    return photos


def _rows(piece: Cut) -> Table:
    import pyarrow

    uris, sizes, marks = zip(*piece.photos, strict=True)
    text, number = pyarrow.string(), pyarrow.int64()
    return pyarrow.table(
        {
            "uri": pyarrow.array(uris, text),
            "size": pyarrow.array(sizes, number),
            "mark": pyarrow.array(marks, text),
        }
    )


def shards_table(shards: Sequence[Shard]) -> Table:
    """Shards as rows, in their order."""
    import pyarrow

    count = pyarrow.int64()
    photos = pyarrow.array([shard.n_photos for shard in shards], count)
    sizes = pyarrow.array([shard.n_bytes for shard in shards], count)
    return pyarrow.table({"shard": [shard.name for shard in shards], "photos": photos, "bytes": sizes})


def shards_of(table: Table) -> tuple[Shard, ...]:
    """What :func:`shards_table` made rows of."""
    rows = zip(*(table[name].to_pylist() for name in ("shard", "photos", "bytes")), strict=True)
    return tuple(Shard(*row) for row in rows)
