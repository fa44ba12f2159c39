"""The best photos of each of many people, from vectors and linear forms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generic.errors import ClusterError
from generic.progress import Progress, no_progress
from generic.words import counted
from piaa.adapters.prediction import Array, bend
from piaa.cluster.best import NOWHERE, Best
from piaa.cluster.candidates import Candidates, pairs_of
from piaa.cluster.current import read_current
from piaa.cluster.folder import Folder
from piaa.cluster.forms import Forms, blocks, form_files, read_forms
from piaa.cluster.manifest import Shard
from piaa.cluster.shard_bursts import ShardBursts
from piaa.cluster.tables import Table, facts_of, packed, read_table
from piaa.cluster.vectors import VectorFolder
from piaa.people.opened_model import OpenedModel

FORMAT = "piaa best 1"
MEMORY = 1024
"""MiB."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is to be ranked, and how."""

    top: int
    """Photos of each person."""
    memory: int = MEMORY
    """For people, their best photos and their candidates, in MiB."""
    candidates: Candidates | None = None
    """The photos that each person is asked about; None: all."""
    of_burst: int | None = None
    """At most so many photos of one burst; None: as many as there are."""
    model: OpenedModel | None = None
    """Whose vectors these are; needed for bursts alone."""


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """What was written."""

    users: int
    before: int
    """Files of people that were there before."""
    photos: int


def rank(
    vectors: Folder, users: Folder, out: Folder, asked: Asked, progress: Progress = no_progress
) -> Ranked:
    """Write the best photos of everybody, a file for each file of forms; files that are there stay.

    Args:
        vectors: of piaa embed.
        users: of piaa fit-users.
        out: takes the results.
        asked: what is ranked, and how.
        progress: called with the number of people newly done.

    Raises:
        ClusterError: something is missing, damaged or of another model, or ``out`` is no folder of results.
        RatingsError: the candidates cannot be read.
    """
    n_users = before = n_photos = 0
    there, source, names = out.stamps(), None, form_files(users)
    _check_results(out, [name for name in names if name in there])
    for name in names:
        if name in there:
            before += 1
            continue
        forms = read_forms(users, name)
        if source is None or source.vectors.model != forms.model:
            source = _Source(vectors, forms.model, asked)
        n_photos = sum(shard.n_photos for shard in source.shards)
        parts = []
        for some in blocks(forms, _at_once(forms, asked)):
            best = source.best(forms.coefficients[some], forms.users[some])
            parts.append(_rows(source, forms, some, best))
            progress(some.stop - some.start)
        out.write(name, packed(_joined(parts), {"format": FORMAT, "model": forms.model}))
        n_users += len(forms.users)
    return Ranked(users=n_users, before=before, photos=n_photos)


def _check_results(out: Folder, there: Sequence[str]) -> None:
    """One file is looked at, for all of a folder are of one kind: forms have the same names as results."""
    table = read_table(out, there[0], []) if there else None
    if table is not None and facts_of(table).get("format") != FORMAT:
        raise ClusterError(
            f"{there[0]} in {out.shown} is no result of piaa rank, and a result of this name belongs there; "
            "name another folder with --out"
        )


def _at_once(forms: Forms, asked: Asked) -> int:
    """How many people fit into the memory."""
    each = Best.n_bytes(forms.coefficients.shape[1], asked.top)
    if asked.candidates is not None:
        each += asked.candidates.n_bytes(len(forms.users))
    return max(1, asked.memory * 2**20 // each)


class _Source:
    """All vectors of one model, and what is asked of them."""

    def __init__(self, vectors: Folder, model: str, asked: Asked) -> None:
        self.vectors = VectorFolder(vectors, model)
        self.shards = _whole(self.vectors)
        self.firsts = np.cumsum([0, *(shard.n_photos for shard in self.shards[:-1])])
        """The place of each shard's first photo; broken photos leave gaps."""
        self._asked = asked
        self._bursts = None if asked.of_burst is None else _bursts(self.vectors, asked)

    def best(self, coefficients: Array, users: Sequence[str]) -> Best:
        """The best photos of some people."""
        asked = None if self._asked.candidates is None else self._asked.candidates.of(users)
        best = Best(coefficients, self._asked.top, self._asked.of_burst)
        for shard, first in zip(self.shards, self.firsts.tolist(), strict=True):
            found = self.vectors.read(shard.name)
            if not len(found.vectors):
                continue
            _check_length(shard, found.vectors, coefficients)
            groups = self._bursts.of(shard.name, found.vectors, first) if self._bursts else None
            if asked is None:
                best.offer(found.vectors, first, groups)
            else:
                best.offer_pairs(*pairs_of(asked, found.uris), found.vectors, first, groups)
        return best


def _bursts(source: VectorFolder, asked: Asked) -> ShardBursts:
    model = asked.model
    if model is None or model.generic.hash != source.model:
        name = "none" if model is None else f"{model.generic.name} {model.generic.hash[:8]}"
        raise ClusterError(
            f"bursts are told by the model of the vectors, which is {source.mark[:8]}, got {name}; name it "
            "with --model"
        )
    return ShardBursts(source, model.prior)


def _check_length(shard: Shard, vectors: NDArray[np.float32], coefficients: Array) -> None:
    if vectors.shape[1] + 1 != coefficients.shape[1]:
        raise ClusterError(
            f"the vectors of shard {shard.name} have {vectors.shape[1]} numbers, but the forms are for "
            f"{coefficients.shape[1] - 1}; fit the users again"
        )


def _whole(source: VectorFolder) -> tuple[Shard, ...]:
    """The shards, all of which are done.

    Raises:
        ClusterError: some are not: the best of a part would look like the best of all.
    """
    shards, done = read_current(source), source.done()
    left = [shard for shard in shards if shard.name not in done]
    if left:
        raise ClusterError(
            f"{len(left):,} of {counted(len(shards), 'shard')} in {source.folder.shown} are not done; "
            "give the "
            "same piaa embed again, then rank"
        )
    return shards


def _rows(source: _Source, forms: Forms, some: slice, best: Best) -> Table:
    """Each person's photos from the best one down."""
    import pyarrow

    people, ranks = np.nonzero(best.places != NOWHERE)
    uris = _uris(source, best.places[people, ranks])
    low, high = forms.scales[some][people].T
    scores = low + (high - low) * bend(best.scores[people, ranks])
    names = np.array(forms.users[some], object)[people]
    return pyarrow.table(
        {
            "user": pyarrow.array(names, pyarrow.string()),
            "rank": pyarrow.array(ranks + 1, pyarrow.int32()),
            "uri": uris,
            "score": pyarrow.array(scores, pyarrow.float64()),
        }
    )


def _uris(source: _Source, places: NDArray[np.int64]) -> Any:  # noqa: ANN401 - of pyarrow
    """What the photos at these places are called; the shards that hold them are read once more."""
    import pyarrow

    which = np.searchsorted(source.firsts, places, side="right") - 1
    order = np.argsort(which, kind="stable")
    ends = np.searchsorted(which[order], np.arange(len(source.shards)), side="right")
    parts = [pyarrow.array([], pyarrow.large_string())]
    for number in np.unique(which):
        mine = order[(ends[number - 1] if number else 0) : ends[number]]
        names = source.vectors.names(source.shards[number].name)
        parts.append(names.take(pyarrow.array(places[mine] - source.firsts[number])))
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return pyarrow.concat_arrays(parts).take(pyarrow.array(back))


def _joined(parts: Sequence[Table]) -> Table:
    import pyarrow

    return pyarrow.concat_tables(parts)
