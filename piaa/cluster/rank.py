"""The best photos of each of many people, from vectors and linear forms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from generic.errors import ClusterError
from generic.progress import Progress, no_progress
from generic.words import counted
from piaa.adapters.prediction import Array, bend
from piaa.cluster.best import NOWHERE, Best
from piaa.cluster.current import read_current
from piaa.cluster.folder import Folder
from piaa.cluster.forms import Forms, blocks, form_files, read_forms
from piaa.cluster.manifest import Shard
from piaa.cluster.tables import Table, packed
from piaa.cluster.vectors import VectorFolder

FORMAT = "piaa best 1"
MEMORY = 1024
"""MiB."""


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """What was written."""

    users: int
    before: int
    """Files of people that were there before."""
    photos: int


def rank(
    vectors: Folder,
    users: Folder,
    out: Folder,
    *,
    top: int,
    memory: int = MEMORY,
    progress: Progress = no_progress,
) -> Ranked:
    """Write the best photos of everybody, a file for each file of forms; files that are there stay.

    Args:
        vectors: of piaa embed.
        users: of piaa fit-users.
        out: takes the results.
        top: how many photos of each person.
        memory: for people and their best photos, in MiB.
        progress: called with the number of people newly done.

    Raises:
        ClusterError: something is missing, damaged or of another model.
    """
    n_users = before = n_photos = 0
    there = out.stamps()
    for name in form_files(users):
        if name in there:
            before += 1
            continue
        forms = read_forms(users, name)
        source = VectorFolder(vectors, forms.model)
        shards = _whole(source)
        parts, n_photos = [], sum(shard.n_photos for shard in shards)
        for some in blocks(forms, _at_once(forms, top, memory)):
            best = _best(source, shards, forms.coefficients[some], top)
            parts.append(_rows(source, shards, forms, some, best))
            progress(some.stop - some.start)
        out.write(name, packed(_joined(parts), {"format": FORMAT, "model": forms.model}))
        n_users += len(forms.users)
    return Ranked(users=n_users, before=before, photos=n_photos)


def _at_once(forms: Forms, top: int, memory: int) -> int:
    """How many people fit into the memory."""
    return max(1, memory * 2**20 // Best.n_bytes(forms.coefficients.shape[1], top))


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


def _best(source: VectorFolder, shards: Sequence[Shard], coefficients: Array, top: int) -> Best:
    best = Best(coefficients, top)
    for shard, first in zip(shards, _firsts(shards), strict=True):
        found = source.read(shard.name).vectors
        if not len(found):
            continue
        if found.shape[1] + 1 != coefficients.shape[1]:
            raise ClusterError(
                f"the vectors of shard {shard.name} have {found.shape[1]} numbers, but the forms are for "
                f"{coefficients.shape[1] - 1}; fit the users again"
            )
        best.offer(found, first)
    return best


def _firsts(shards: Sequence[Shard]) -> NDArray[np.int64]:
    """The place of each shard's first photo; broken photos leave gaps."""
    return np.cumsum([0, *(shard.n_photos for shard in shards[:-1])])


def _rows(source: VectorFolder, shards: Sequence[Shard], forms: Forms, some: slice, best: Best) -> Table:
    """Each person's photos from the best one down."""
    import pyarrow

    people, ranks = np.nonzero(best.places != NOWHERE)
    uris = _uris(source, shards, best.places[people, ranks])
    low, high = forms.scales[some][people].T
    scores = low + (high - low) * bend(best.scores[people, ranks])
    names = np.array(forms.users[some], object)[people]
    return pyarrow.table(
        {
            "user": pyarrow.array(names, pyarrow.string()),
            "rank": pyarrow.array(ranks + 1, pyarrow.int32()),
            "uri": pyarrow.array(uris, pyarrow.string()),
            "score": pyarrow.array(scores, pyarrow.float64()),
        }
    )


def _uris(source: VectorFolder, shards: Sequence[Shard], places: NDArray[np.int64]) -> NDArray[np.object_]:
    """What the photos at these places are called; the shards that hold them are read once more."""
    firsts = _firsts(shards)
    which = np.searchsorted(firsts, places, side="right") - 1
    found = np.empty(len(places), object)
    order = np.argsort(which, kind="stable")
    ends = np.searchsorted(which[order], np.arange(len(shards)), side="right")
    for number in np.unique(which):
        mine = order[(ends[number - 1] if number else 0) : ends[number]]
        uris = np.array(source.uris(shards[number].name), object)
        found[mine] = uris[places[mine] - firsts[number]]
    return found


def _joined(parts: Sequence[Table]) -> Table:
    import pyarrow

    return pyarrow.concat_tables(parts)
