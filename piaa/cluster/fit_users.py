"""Many people learned from their ratings of photos whose vectors are there: linear forms, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from generic.errors import ClusterError, PiaaError, RatingsError
from generic.progress import Progress, no_progress
from piaa.adapters.base import Adapter
from piaa.cluster.folder import Folder
from piaa.cluster.forms import Forms, write_forms
from piaa.cluster.photos_of import photos_of
from piaa.cluster.rated import Rater, read_raters
from piaa.cluster.vectors import VectorFolder
from piaa.ratings.scale import Scale

BLOCK = 10_000
"""People in a file."""


@dataclass
class Fitted:
    """What became of the people."""

    users: int = 0
    ratings: int = 0
    """That were learned from."""
    unknown: int = 0
    """Ratings of photos without a vector."""
    left_out: list[str] = field(default_factory=list)
    """People who rated no photo that has one."""


def fit_users(
    ratings: Path,
    vectors: VectorFolder,
    out: Folder,
    make: Callable[[], Adapter],
    scale: Scale,
    *,
    block: int = BLOCK,
    progress: Progress = no_progress,
) -> Fitted:
    """Write everybody's linear form.

    Args:
        ratings: see :func:`piaa.cluster.rated.read_raters`.
        vectors: of the photos rated.
        out: takes the forms; a folder without any.
        make: gives a new adapter, which fits many and has a linear form.
        scale: lowest and highest score that could be given.
        block: people who are in memory at once with the vectors of their photos.
        progress: called with the number of people newly done.

    Raises:
        RatingsError: a row is bad, or a photo has two scores by one person.
        ClusterError: vectors are missing or damaged, or forms are there.
        PiaaError: the adapter has no linear form.
    """
    adapter = make()
    if not (adapter.fits_many and adapter.has_linear_form):
        raise PiaaError(
            f"adapter {adapter.name!r} has no linear form of many people; use auto, bayes or ridge"
        )
    if any(it.startswith("users-") for it in out.stamps()):
        raise ClusterError(f"{out.shown} holds linear forms; name another folder with --out")
    done = Fitted()
    for number, people in enumerate(_blocks(read_raters(ratings), block)):
        _fit(number, people, vectors, out, adapter, scale, done)
        progress(len(people))
    if not done.users:
        raise RatingsError(f"nobody in {ratings} rated a photo whose vector is in {vectors.folder.shown}")
    return done


def _fit(
    number: int,
    people: Sequence[Rater],
    vectors: VectorFolder,
    out: Folder,
    adapter: Adapter,
    scale: Scale,
    done: Fitted,
) -> None:
    seen = photos_of({uri for one in people for uri in one.uris}, vectors)
    known = {uri: photo.vector for uri, photo in seen.items()}
    supports = [_support(one, known, scale) for one in people]
    kept = [(one, *it) for one, it in zip(people, supports, strict=True) if it is not None]
    done.left_out += [one.user for one, it in zip(people, supports, strict=True) if it is None]
    done.unknown += sum(uri not in known for one in people for uri in one.uris)
    if not kept:
        return
    raters, rows, features, scores = zip(*kept, strict=True)
    fits = adapter.fit_many(features, scores)
    forms = [one.linear_form() for one in fits]
    done.users += len(kept)
    done.ratings += sum(map(len, scores))
    write_forms(
        out,
        number,
        Forms(
            model=vectors.model,
            adapter=adapter.name,
            users=[one.user for one in raters],
            images=[[one.uris[row] for row in mine] for one, mine in zip(raters, rows, strict=True)],
            scores=[[one.scores[row] for row in mine] for one, mine in zip(raters, rows, strict=True)],
            scales=np.tile((scale.low, scale.high), (len(kept), 1)),
            coefficients=np.stack([form.coefficients for form in forms]),
            forms=[form.pack() for form in forms],
        ),
    )


def _support(
    one: Rater, known: dict[str, NDArray[np.float32]], scale: Scale
) -> tuple[list[int], NDArray[np.float32], NDArray[np.float64]] | None:
    """Which k ratings of a person are of photos that have a vector; these (k, 1 + d), and unit scores (k,).

    None if there are none.
    """
    if len(set(one.uris)) < len(one.uris):
        twice = next(uri for place, uri in enumerate(one.uris) if uri in one.uris[:place])
        raise RatingsError(f"user {one.user!r} has two scores of {twice!r}; keep one of them")
    rows = [place for place, uri in enumerate(one.uris) if uri in known]
    if not rows:
        return None
    try:
        scores = scale.to_unit([one.scores[row] for row in rows])
    except PiaaError as error:
        raise RatingsError(f"user {one.user!r}: {error}") from None
    return rows, np.stack([known[one.uris[row]] for row in rows]), scores


def _blocks(people: Iterator[Rater], size: int) -> Iterator[list[Rater]]:
    while some := list(islice(people, size)):
        yield some
