"""Many people learned from their ratings of photos whose vectors are there: linear forms, block by block."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from generic.engine.engine import usable_cores
from generic.errors import ClusterError, PiaaError, RatingsError
from generic.progress import Progress, no_progress
from generic.threads import one_blas_thread
from piaa.adapters.base import Adapter
from piaa.adapters.linear_form import LinearForm
from piaa.cluster.current import form_of
from piaa.cluster.folder import Folder
from piaa.cluster.forms import Forms, facts_of_forms, is_forms, name_of, number_of, write_forms
from piaa.cluster.photos_of import vectors_of
from piaa.cluster.rated import Rater, read_raters
from piaa.cluster.vectors import VectorFolder
from piaa.ratings.scale import Scale

BLOCK = 10_000
"""People in a file."""
_TOGETHER = 250
"""People whom a thread fits at once: what is computed for all of them takes a hundred times their forms."""


@dataclass
class Fitted:
    """What became of the people."""

    users: int = 0
    before: int = 0
    """Files of people that were there before."""
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
    part: tuple[int, int] = (0, 1),
    block: int = BLOCK,
    progress: Progress = no_progress,
) -> Fitted:
    """Write everybody's linear form; files of the same people, fitted alike, that are there stay.

    Args:
        ratings: see :func:`piaa.cluster.rated.read_raters`.
        vectors: of the photos rated.
        out: takes the forms.
        make: gives a new adapter, which fits many and has a linear form.
        scale: lowest and highest score that could be given.
        part: of several workers who share the people, which one (from 0), and how many there are.
        block: people in a file, who are in memory at once with the vectors of their photos.
        progress: called with the number of people newly done.

    Raises:
        RatingsError: a row is bad, or a photo has two scores by one person.
        ClusterError: vectors are missing or damaged, or forms are there that were fitted otherwise.
        PiaaError: the adapter has no linear form.
    """
    adapter = make()
    if not (adapter.fits_many and adapter.has_linear_form):
        raise PiaaError(
            f"adapter {adapter.name!r} has no linear form of many people; use auto, bayes or ridge"
        )
    mine, of = part
    there = _there(out, part, vectors.model, adapter.name)
    form, done = form_of(vectors), Fitted()
    for number, people in enumerate(_blocks(read_raters(ratings), block)):
        if number % of == mine:
            source = _source(people, scale, form)
            if number in there:
                _check_source(out, number, there[number], source)
                done.before += 1
            else:
                forms = _fit(people, vectors, adapter, scale, source, done)
                if forms.users:
                    write_forms(out, number, forms)
            progress(len(people))
    if not (done.users or done.before) and of == 1:
        raise RatingsError(f"nobody in {ratings} rated a photo whose vector is in {vectors.folder.shown}")
    return done


def _there(out: Folder, part: tuple[int, int], model: str, adapter: str) -> dict[int, str]:
    """Blocks of this worker that are there, and what they were fitted from.

    All are looked at before one is written, so that a folder never holds two kinds of forms.
    """
    mine, of = part
    found = {}
    for name in sorted(it for it in out.stamps() if is_forms(it) and number_of(it) % of == mine):
        facts = facts_of_forms(out, name)
        if (facts["model"], facts["adapter"]) != (model, adapter):
            raise ClusterError(
                f"{name} in {out.shown} was fitted by {facts['adapter']} on model {facts['model'][:8]}, "
                f"expected {adapter} on model {model[:8]}; name another folder with --out"
            )
        found[number_of(name)] = facts.get("source", "")
    return found


def _source(people: Sequence[Rater], scale: Scale, form: str | None) -> str:
    """What people are fitted from beside the vectors themselves, in 64 hex digits."""
    digest = hashlib.sha256(json.dumps((scale.low, scale.high, form)).encode())
    for one in people:
        digest.update(json.dumps((one.user, one.uris, one.scores)).encode() + b"\n")
    return digest.hexdigest()


def _check_source(out: Folder, number: int, found: str, source: str) -> None:
    if found != source:
        raise ClusterError(
            f"{name_of(number)} in {out.shown} was fitted from other ratings, another scale or another form "
            "of vectors than are given; name another folder with --out"
        )


def _fit(
    people: Sequence[Rater],
    vectors: VectorFolder,
    adapter: Adapter,
    scale: Scale,
    source: str,
    done: Fitted,
) -> Forms:
    """The people of a file, as many as rated a photo that has a vector."""
    known = vectors_of({uri for one in people for uri in one.uris}, vectors)
    done.unknown += sum(uri not in known for one in people for uri in one.uris)
    everybody = [_with_vectors(one, known) for one in people]
    done.left_out += [one.user for one in everybody if not one.uris]
    raters = [one for one in everybody if one.uris]

    def learned(some: Sequence[Rater]) -> list[LinearForm]:
        supports = zip(*(_support(one, known, scale) for one in some), strict=True)
        return [one.linear_form() for one in adapter.fit_many(*supports)]

    # A thread for each core and one for each product: BLAS's own threads wait more than they compute.
    with one_blas_thread(), ThreadPoolExecutor(usable_cores()) as pool:
        forms = [form for some in pool.map(learned, _blocks(iter(raters), _TOGETHER)) for form in some]
    done.users += len(raters)
    done.ratings += sum(len(one.uris) for one in raters)
    return Forms(
        model=vectors.model,
        adapter=adapter.name,
        users=[one.user for one in raters],
        images=[one.uris for one in raters],
        scores=[one.scores for one in raters],
        scales=np.tile((scale.low, scale.high), (len(raters), 1)),
        coefficients=np.array([form.coefficients for form in forms]),
        forms=[form.pack() for form in forms],
        source=source,
    )


def _with_vectors(one: Rater, known: Container[str]) -> Rater:
    """What a person said of photos that have a vector."""
    if len(set(one.uris)) < len(one.uris):
        twice = next(uri for place, uri in enumerate(one.uris) if uri in one.uris[:place])
        raise RatingsError(f"user {one.user!r} has two scores of {twice!r}; keep one of them")
    rows = [row for row, uri in enumerate(one.uris) if uri in known]
    return Rater(one.user, [one.uris[row] for row in rows], [one.scores[row] for row in rows])


def _support(
    one: Rater, known: Mapping[str, NDArray[np.float32]], scale: Scale
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """The k photos of a person (k, 1 + d), and unit scores (k,)."""
    try:
        return np.stack([known[uri] for uri in one.uris]), scale.to_unit(one.scores)
    except PiaaError as error:
        raise RatingsError(f"user {one.user!r}: {error}") from None


T = TypeVar("T")


def _blocks(people: Iterator[T], size: int) -> Iterator[list[T]]:
    while some := list(islice(people, size)):
        yield some
