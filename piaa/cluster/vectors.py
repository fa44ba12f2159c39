"""What is known of a shard's photos: a Parquet file of vectors, and one of broken photos where there are any.

The files are the same bytes whoever computes them, whenever and beside whom. The vectors are written last:
where they are, the shard is done.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generic.errors import ClusterError
from piaa.cluster.folder import Folder, Stamp
from piaa.cluster.tables import Table, facts_of, packed, read_table

FORMAT = "piaa vectors 1"
FULL, SMALL = "full", "small"
"""Vectors as the model makes them, and without their richer part, see :mod:`generic.parts`."""
_HASH = 16
_VECTORS, _BROKEN = ".parquet", ".broken.parquet"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A photo that was read."""

    uri: str
    sha256: str
    """Of the file, 64 hex digits."""
    identity: str
    """Of the picture, 64 hex digits, see :mod:`generic.photos.identity`."""
    taken: str | None
    """Local time as in :class:`generic.photos.facts.PhotoFacts`."""
    vector: NDArray[np.float32]
    """Shape (1 + d,)."""


@dataclass(frozen=True, kw_only=True)
class ShardVectors:
    """The vectors of one shard's photos."""

    uris: Sequence[str]
    vectors: NDArray[np.float32]
    """Shape (n, 1 + d): the generic score as computed, the embedding rounded to float16; where n is 0, d is
    1."""


class VectorFolder:
    """The vectors of one model in a folder.

    Args:
        folder: where they lie, beside those of other models.
        model: the model's hash, 64 hex digits.
    """

    def __init__(self, folder: Folder, model: str) -> None:
        self.folder = folder
        self.model = model
        self.mark = model[:_HASH]

    def done(self) -> dict[str, Stamp]:
        """The shards whose vectors are there, by their names."""
        end = f"-{self.mark}{_VECTORS}"
        stamps = self.folder.stamps()
        return {name.removesuffix(end): stamp for name, stamp in stamps.items() if name.endswith(end)}

    def has(self, shard: str) -> bool:
        """Whether a shard's vectors are there.

        Raises:
            ClusterError: the folder cannot be read.
        """
        return self.folder.has(self.name_of(shard))

    def keep(self, shard: str, photos: Sequence[Seen | tuple[str, str]]) -> None:
        """Write what became of a shard's photos.

        Args:
            shard: its name.
            photos: in the shard's order; of a broken one its URI and why.

        Raises:
            OutputError, ClusterError: the folder refuses; nothing half is there.
        """
        seen = [photo for photo in photos if isinstance(photo, Seen)]
        broken = [photo for photo in photos if not isinstance(photo, Seen)]
        facts = {
            "format": FORMAT,
            "model": self.model,
            "shard": shard,
            "photos": str(len(seen)),
            "broken": str(len(broken)),
        }
        if broken:
            self.folder.write(f"{shard}-{self.mark}{_BROKEN}", packed(_broken_table(broken), facts))
        self.folder.write(self.name_of(shard), packed(_table(seen), facts))

    def read(self, shard: str) -> ShardVectors:
        """The vectors of a shard.

        Raises:
            ClusterError: they are not there, are damaged, or are not of this model.
        """
        table = self._table(shard, ["uri", "generic", "vector"])
        return ShardVectors(uris=table["uri"].to_pylist(), vectors=_vectors(table))

    def seen(self, shard: str, wanted: Collection[str]) -> list[Seen]:
        """What :meth:`keep` kept of those photos that are in a shard and were read.

        Raises:
            ClusterError: see :meth:`read`.
        """
        table = self._table(shard, ["uri", "sha256", "identity", "taken", "generic", "vector"])
        rows = [row for row, uri in enumerate(table["uri"].to_pylist()) if uri in wanted]
        some = table.take(np.array(rows, np.int64))
        facts = zip(*(some[name].to_pylist() for name in ("uri", "sha256", "identity", "taken")), strict=True)
        return [
            Seen(uri=uri, sha256=sha256.hex(), identity=identity.hex(), taken=taken, vector=vector)
            for (uri, sha256, identity, taken), vector in zip(facts, _vectors(some), strict=True)
        ]

    def _table(self, shard: str, columns: list[str]) -> Table:
        table = read_table(self.folder, self.name_of(shard), columns)
        facts = {} if table is None else facts_of(table)
        if table is None or facts.get("format") != FORMAT or facts["model"] != self.model:
            raise ClusterError(
                f"the vectors of shard {shard} are not in {self.folder.shown}; give the same piaa embed again"
            )
        return table

    def names(self, shard: str) -> Any:  # noqa: ANN401 - of pyarrow
        """The URIs of the photos whose vectors :meth:`read` gives, in their order, as an array of pyarrow.

        Raises:
            ClusterError: they are not there any more.
        """
        table = read_table(self.folder, self.name_of(shard), ["uri"])
        if table is None:
            raise ClusterError(f"the vectors of shard {shard} went from {self.folder.shown}; rank again")
        import pyarrow

        # Of large strings: ten million names are more bytes than the offsets of small ones count.
        return table["uri"].cast(pyarrow.large_string()).combine_chunks()

    def taken(self, shard: str) -> list[str | None]:
        """When those photos were taken, as the camera says.

        Raises:
            ClusterError: they are not there any more.
        """
        times: list[str | None] = self._table(shard, ["taken"])["taken"].to_pylist()
        return times

    def broken(self, shard: str) -> list[tuple[str, str]]:
        """The shard's photos that cannot be read, and why."""
        table = read_table(self.folder, f"{shard}-{self.mark}{_BROKEN}")
        if table is None:
            return []
        return list(zip(table["uri"].to_pylist(), table["error"].to_pylist(), strict=True))

    def n_broken(self, shards: Iterable[str]) -> int:
        """How many photos of these shards, which are done, cannot be read."""
        end = f"-{self.mark}{_BROKEN}"
        named = {name.removesuffix(end) for name in self.folder.stamps() if name.endswith(end)}
        return sum(len(self.broken(shard)) for shard in shards if shard in named)

    def name_of(self, shard: str) -> str:
        """The file of a shard's vectors."""
        return f"{shard}-{self.mark}{_VECTORS}"


def _table(seen: Sequence[Seen]) -> Table:
    import pyarrow

    # How long vectors are is not known where there is none: the network was never run.
    vectors = np.stack([it.vector for it in seen]) if seen else np.zeros((0, 2), np.float32)
    d = vectors.shape[1] - 1
    halves = pyarrow.array(_halves(vectors[:, 1:]).reshape(-1), pyarrow.float16())
    digest, text = pyarrow.binary(32), pyarrow.string()
    return pyarrow.table(
        {
            "uri": pyarrow.array([it.uri for it in seen], text),
            "sha256": pyarrow.array([bytes.fromhex(it.sha256) for it in seen], digest),
            "identity": pyarrow.array([bytes.fromhex(it.identity) for it in seen], digest),
            "taken": pyarrow.array([it.taken for it in seen], text),
            "generic": pyarrow.array(vectors[:, 0], pyarrow.float32()),
            "vector": pyarrow.FixedSizeListArray.from_arrays(halves, d),
        }
    )


def _halves(embeddings: NDArray[np.float32]) -> NDArray[np.float16]:
    """Rounded to float16; what is too large for it becomes the largest, for infinity has no direction."""
    most = float(np.finfo(np.float16).max)
    return np.asarray(np.clip(embeddings, -most, most), np.float16)


def _broken_table(broken: Sequence[tuple[str, str]]) -> Table:
    import pyarrow

    uris, errors = zip(*broken, strict=True)
    return pyarrow.table(
        {"uri": pyarrow.array(uris, pyarrow.string()), "error": pyarrow.array(errors, pyarrow.string())}
    )


def _vectors(table: Table) -> NDArray[np.float32]:
    """Shape (n, 1 + d)."""
    n, d = table.num_rows, table.schema.field("vector").type.list_size
    found = np.empty((n, 1 + d), np.float32)
    found[:, 0] = table["generic"].to_numpy()
    start = 0
    for part in _parts(table):
        found[start : start + len(part), 1:] = part
        start += len(part)
    return found


def _parts(table: Table) -> Iterator[NDArray[np.float16]]:
    d = table.schema.field("vector").type.list_size
    for chunk in table["vector"].chunks:
        # flatten() honours a chunk's offset, and there are no rows without a vector.
        yield chunk.flatten().to_numpy(zero_copy_only=False).reshape(-1, d)
