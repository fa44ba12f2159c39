"""Generated vectors, forms and ratings for the benchmarks of clusters, in the files that piaa writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as arrow
import pyarrow.parquet as parquet
from record import tell

from generic.seeds import stream
from piaa.cluster.current import write_current
from piaa.cluster.folder import Folder
from piaa.cluster.forms import Forms, write_forms
from piaa.cluster.manifest import Manifest, Shard
from piaa.cluster.vectors import FULL, Seen, VectorFolder

SHARD, PEOPLE, D = 10_000, 10_000, 128
"""Photos in a shard, people in a file, directions of an embedding, as many as piaa-lite's has."""


def uri_of(number: int) -> str:
    """The name of a generated photo."""
    return f"s3://bucket/photos/{number // 1000:06}/{number % 1000:03}.jpg"


def vectors_of(shard: int, d: int) -> np.ndarray:
    """A shard's vectors (SHARD, 1 + d): a crowd's score, and an embedding of the size of piaa-lite's."""
    x = stream(0, "cluster", "vectors", str(shard)).standard_normal((SHARD, 1 + d), dtype=np.float32)
    x[:, 0] = np.clip(0.5 + 0.1 * x[:, 0], 0, 1)
    return x


def make_vectors(folder: Path, model: str, n: int, d: int, form: str = FULL) -> None:
    """Vectors of n photos as ``piaa embed`` leaves them; what is there stays."""
    vectors = VectorFolder(Folder(str(folder)), model)
    there = vectors.done()
    shards = [Shard(f"{number:016x}", SHARD, 0) for number in range(n // SHARD)]
    for number, shard in enumerate(shards):
        if shard.name in there:
            continue
        digests = [f"{place:064x}" for place in range(number * SHARD, (number + 1) * SHARD)]
        rows = zip(digests, vectors_of(number, d), strict=True)
        photos = [
            Seen(uri=uri_of(int(it, 16)), sha256=it, identity=it, taken=None, vector=x) for it, x in rows
        ]
        vectors.keep(shard.name, photos)
    write_current(vectors, Manifest("s3://bucket/photos", tuple(shards)), form)
    tell(f"{n:,} vectors are there")


def make_forms(folder: Path, model: str, n: int, d: int) -> None:
    """Linear forms of n people as ``piaa fit-users`` leaves them: the crowd's taste and some of her own."""
    for number, start in enumerate(range(0, n, PEOPLE)):
        u = min(PEOPLE, n - start)
        c = stream(0, "cluster", "forms", str(number)).standard_normal((u, 2 + d)) * 0.05
        c[:, :2] = 0.1, 0.8
        forms = Forms(
            model=model,
            adapter="bayes",
            users=[f"person {start + row}" for row in range(u)],
            images=[[]] * u,
            scores=[[]] * u,
            scales=np.tile((1.0, 5.0), (u, 1)),
            coefficients=c,
            forms=[row.tobytes() for row in c],
        )
        write_forms(Folder(str(folder)), number, forms)


def make_ratings(file: Path, people: int, each: int, photos: int, d: int) -> None:
    """Ratings of photos of :func:`make_vectors`, 1 to 5, by what each person likes."""
    with parquet.ParquetWriter(file, arrow.schema(dict(_COLUMNS))) as writer:
        for start in range(0, people, PEOPLE):
            rng = stream(0, "cluster", "ratings", str(start))
            u = min(PEOPLE, people - start)
            # Photos of one shard a person, so that her scores need no other.
            shards = rng.integers(0, photos // SHARD, u)
            users, uris, scores = [], [], []
            for shard in np.unique(shards).tolist():
                x = vectors_of(shard, d)
                for row in np.flatnonzero(shards == shard).tolist():
                    rows = rng.choice(SHARD, each, replace=False)
                    likes = x[rows, 0] + x[rows, 1:] @ rng.normal(0, 0.1 / np.sqrt(d), d).astype(np.float32)
                    users += [f"person {start + row}"] * each
                    uris += [uri_of(shard * SHARD + it) for it in rows.tolist()]
                    scores += np.clip(np.round(1 + 4 * likes), 1, 5).tolist()
            table = {"user": users, "image": uris, "score": scores}
            writer.write_table(arrow.table(table, schema=arrow.schema(dict(_COLUMNS))))
    tell(f"{people:,} people rated {each} photos each")


_COLUMNS = (("user", arrow.string()), ("image", arrow.string()), ("score", arrow.float64()))
