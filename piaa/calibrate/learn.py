"""A group's ratings become a model file with a score of its own, if people and photos not used gain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generic.engine.calibrated import BEFORE, KNOWN_BY, ORIGIN, PREFIX, Calibration
from generic.errors import CheckpointError
from generic.model.arrays import with_arrays
from generic.model.checkpoint import Header
from generic.model.generic_model import GenericModel
from generic.model.known_users import user_digest
from generic.parts import Parts
from generic.progress import Progress, no_progress
from generic.threads import one_blas_thread
from piaa.adapters.prior import PREFIX as PRIOR
from piaa.adapters.prior import Prior
from piaa.calibrate.gate import Verdict, judge
from piaa.calibrate.head import Head, learn_head
from piaa.calibrate.people import of_the_group
from piaa.calibrate.raters import Agreed, Table, agree
from piaa.calibrate.trial import FEWEST_TAUGHT, try_out

WEIGHTS = PRIOR + "log_weights"
"""The array of a prior that is the group's own."""


@dataclass(frozen=True, kw_only=True)
class Calibrated:
    """What came of it."""

    verdict: Verdict
    n_ratings: int
    n_people: int
    n_photos: int
    not_counted: int
    """People who agree with nobody: they rate at random, or the scale upside down."""
    header: Header | None
    """Of the file; None: nothing was written, since nobody would gain."""
    shares: dict[str, float]
    """How much of the score comes of what, see :class:`piaa.calibrate.head.Head`."""

    def facts(self, out: Path) -> dict[str, Any]:
        """For machines; a gain that cannot be told is null."""
        told = not np.isnan(self.verdict.gain)
        return {
            "calibrated": self.header is not None,
            "file": None if self.header is None else str(out),
            "hash": None if self.header is None else self.header.hash,
            "gain": self.verdict.gain if told else None,
            "interval": [self.verdict.low, self.verdict.high] if told else None,
            "tested_people": self.verdict.people,
            "people": self.n_people,
            "photos": self.n_photos,
            "ratings": self.n_ratings,
            "not_counted": self.not_counted,
            "shares": self.shares,
        }


def check_plain(model: GenericModel) -> None:
    """Raises CheckpointError if the model's score is calibrated already: what it was before is not known."""
    if ORIGIN in model.header.training:
        raise CheckpointError(
            f"model {model.name} {model.hash[:8]} is calibrated already; give the model that it was made "
            f"from, with all ratings, old and new"
        )


def calibrate(
    model: GenericModel,
    out: Path,
    vectors: NDArray[Any],
    digests: Sequence[str],
    table: Table,
    people: Sequence[str],
    dataset: str,
    *,
    progress: Progress = no_progress,
) -> Calibrated:
    """Hold out people and photos, judge, and write the model if they gain.

    The same ratings, in whatever order and in however many portions they came, give the same file: all is
    learned from the whole table. Who withdraws is left out of it, and nothing is left of her.

    Args:
        model: whose vectors they are.
        out: the file to write, of the same kind as the model's.
        vectors: of photos, shape (n, 1 + d).
        digests: SHA-256 of each photo's file.
        table: ratings of these photos.
        people: the raters' names.
        dataset: whose raters they are, for the leak checks of evaluations.
        progress: see :func:`piaa.calibrate.trial.try_out`.

    Raises:
        CheckpointError: the model is calibrated already.
        OutputError: the file cannot be written.
    """
    check_plain(model)
    table = in_order(table)
    parts = Parts.declared(model.header.architecture, vectors.shape[1] - 1)
    x, prior = np.asarray(vectors, np.float64), Prior.from_tensors(model.tensors(PRIOR))
    with one_blas_thread():
        verdict, agreed = judge(try_out(table, x, parts, prior, progress=progress).gains), agree(table)
        known = np.flatnonzero(agreed.precision > 0)
        header, shares = None, dict[str, float]()
        if verdict.opens and len(known) >= FEWEST_TAUGHT:
            head = learn_head(x[known], agreed.means[known], agreed.precision[known], parts)
            origin = {
                "dataset": dataset,
                "users_sha256": sorted(user_digest(dataset, user) for user in people),
                "images_sha256": sorted({digests[row] for row in known.tolist()}),
                "ratings": len(table.rows),
                "gain": [round(number, 4) for number in (verdict.gain, verdict.low, verdict.high)],
            }
            as_seen = x.copy()
            as_seen[known, 0] = head.left_out
            theirs = prior and of_the_group(prior, as_seen, table)
            arrays = _calibration(head, x[known]).tensors()
            header, shares = _written(model, out, arrays, theirs, {ORIGIN: origin}), dict(head.shares)
    return Calibrated(
        verdict=verdict,
        n_ratings=len(table.rows),
        n_people=len(np.unique(table.people)),
        n_photos=len(np.unique(table.rows)),
        not_counted=_not_counted(agreed),
        header=header,
        shares=shares,
    )


def in_order(table: Table) -> Table:
    """The ratings by photo and person: sums then run in one order, whatever that of the rows was."""
    order = np.lexsort((table.people, table.rows))
    return Table(
        rows=table.rows[order],
        people=table.people[order],
        scores=table.scores[order],
        n_photos=table.n_photos,
        n_people=table.n_people,
    )


def _calibration(head: Head, vectors: NDArray[np.float64]) -> Calibration:
    return Calibration(
        coefficients=head.coefficients,
        taught=vectors[:, 1 : 1 + KNOWN_BY].astype(np.float32),
        left_out=head.left_out.astype(np.float32),
    )


def _written(
    model: GenericModel,
    out: Path,
    arrays: dict[str, NDArray[Any]],
    prior: Prior | None,
    training: dict[str, Any],
) -> Header:
    """The model with the head's arrays, and the group's weights of sizes and noises if it has a prior."""
    if prior is None:
        return with_arrays(model.path, out, PREFIX, arrays, training)
    before = {(BEFORE + WEIGHTS).removeprefix(PREFIX): model.tensors(WEIGHTS)[""]}
    with_arrays(model.path, out, PREFIX, arrays | before, training)
    return with_arrays(out, out, WEIGHTS, {"": prior.log_weights}, {})


def _not_counted(agreed: Agreed) -> int:
    return int(((agreed.weights <= 0) & ~np.isnan(agreed.agreement)).sum())
