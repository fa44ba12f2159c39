"""Which shards' vectors count: a folder may hold those of an earlier manifest too, and of other models."""

from __future__ import annotations

from generic.errors import ClusterError
from piaa.cluster.folder import Folder
from piaa.cluster.manifest import Manifest, Shard, shards_of, shards_table
from piaa.cluster.tables import facts_of, packed, read_table
from piaa.cluster.vectors import FULL, VectorFolder

_FORMAT = "piaa vectors of 1"
_START, _END = "of.", ".parquet"
_FORM = "vectors"
"""Key of the form of the vectors; not there where they are as the model makes them."""


def write_current(vectors: VectorFolder, manifest: Manifest, form: str = FULL) -> None:
    """Say that a folder's vectors are to be those of a manifest.

    Args:
        vectors: the folder's.
        manifest: whose photos they are of.
        form: of the vectors, ``FULL`` or ``SMALL``.

    Raises:
        ClusterError: it has vectors of the other form, or cannot be written.
        OutputError: the folder cannot be written.
    """
    there = form_of(vectors)
    if there not in (None, form):
        raise ClusterError(
            f"{vectors.folder.shown} holds {there} vectors of this model, asked are {form} ones; give "
            f"--vectors {there}, or name another folder with --out"
        )
    facts = {"format": _FORMAT, "model": vectors.model, "source": manifest.source}
    if form != FULL:
        facts[_FORM] = form
    content, name = packed(shards_table(manifest.shards), facts), _name(vectors)
    if vectors.folder.read(name) != content:
        vectors.folder.write(name, content)


def form_of(vectors: VectorFolder) -> str | None:
    """Which form a folder's vectors of a model have; None: it has none.

    Raises:
        ClusterError: the folder cannot be read.
    """
    table = read_table(vectors.folder, _name(vectors), [])
    return None if table is None else facts_of(table).get(_FORM, FULL)


def _name(vectors: VectorFolder) -> str:
    return f"{_START}{vectors.mark}{_END}"


def models(folder: Folder) -> list[str]:
    """Hashes of the models whose vectors are in a folder, or were begun.

    Raises:
        ClusterError: the folder holds none, or cannot be read.
    """
    names = [name for name in folder.stamps() if name.startswith(_START) and name.endswith(_END)]
    tables = [table for name in sorted(names) if (table := read_table(folder, name, [])) is not None]
    if not tables:
        raise ClusterError(
            f"{folder.shown} holds no vectors; make them: piaa embed MANIFEST --out {folder.shown}"
        )
    return [facts_of(table)["model"] for table in tables]


def read_current(vectors: VectorFolder) -> tuple[Shard, ...]:
    """The shards that count, in the order of the source.

    Raises:
        ClusterError: there are no vectors of this model.
    """
    table = read_table(vectors.folder, _name(vectors))
    if table is None or facts_of(table).get("format") != _FORMAT:
        raise ClusterError(
            f"{vectors.folder.shown} holds no vectors of the model {vectors.mark}; make them: piaa embed "
            f"MANIFEST --out {vectors.folder.shown} --model MODEL"
        )
    return shards_of(table)
