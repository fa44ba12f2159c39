"""A prior for any model: how people differ, learned from a group's ratings and put into the model's file.

Embeddings of networks that were trained end to end are of any scale, and many of their numbers say the same.
So the prior gets directions of its own: the principal ones of the photos' embeddings, of unit variance. A
network's scores of photos that it was trained on are too good; how far the score is from the mean of raters
is told by the photos that it was not trained on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generic.errors import TooFewRatings
from generic.model.arrays import with_arrays
from generic.model.checkpoint import Header
from generic.model.generic_model import GenericModel
from generic.model.known_users import user_digest
from generic.parts import RICHER, Parts
from generic.seeds import stream
from generic.threads import one_blas_thread
from piaa.adapters.prior import PREFIX, Array, Prior, Projection, learn_prior
from piaa.people.build_model import FEWEST_PEOPLE, FEWEST_RATERS, MOST_PEOPLE, N_JOINT

N_DIRECTIONS = 128
"""Most directions of a prior."""
FEWEST_NEW = 20
"""Photos that the model was not trained on, of which the error of its score is learned."""
ORIGIN = "prior_from"
"""Where a header says whom the prior was learned from."""

People = Sequence[tuple[str, NDArray[np.intp], Array]]
"""Each person's name, photos (rows of the vectors) and unit scores."""


@dataclass(frozen=True, kw_only=True)
class WithPrior:
    """A model file with a prior."""

    header: Header
    n_people: int
    n_photos: int
    n_new: int
    """Photos that the model was not trained on."""


def add_prior(
    model: GenericModel,
    out: Path,
    vectors: NDArray[Any],
    digests: Sequence[str],
    people: People,
    origin: Mapping[str, Any],
) -> WithPrior:
    """Learn a prior and write the model with it; a prior that it had is replaced.

    Args:
        model: whose vectors they are.
        out: the file to write; may be the model's own.
        vectors: of photos, shape (n, 1 + d).
        digests: SHA-256 of each photo's file.
        people: those who teach; all of them count, so nobody who is tested may be among them.
        origin: ``dataset``, ``users`` and ``images_sha256``, so that evaluations find leaks. The file has
            the users' digests: a model that goes from hand to hand names nobody.

    Raises:
        TooFewRatings: too few people, photos or raters to tell how people differ.
        OutputError: the file cannot be written.
    """
    new, parts = unseen(model, digests), Parts.declared(model.header.architecture, vectors.shape[1] - 1)
    with one_blas_thread():
        prior, n_people, n_photos = prior_of(np.asarray(vectors, np.float64), new, people, parts)
    known = {"users_sha256": sorted(user_digest(origin["dataset"], user) for user in origin["users"])}
    kept = {key: value for key, value in origin.items() if key != "users"}
    header = with_arrays(model.path, out, PREFIX, prior.tensors(), {ORIGIN: {**kept, **known}})
    return WithPrior(header=header, n_people=n_people, n_photos=n_photos, n_new=int(new.sum()))


def unseen(model: GenericModel, digests: Sequence[str]) -> NDArray[np.bool_]:
    """Which photos are new to the model, as far as its header says: to its weights, not its epoch."""
    training = model.header.training
    seen = set(training.get("images_sha256", ())) - set(training.get("validation_sha256", ()))
    return np.array([digest not in seen for digest in digests], bool)


def prior_of(
    vectors: Array, new: NDArray[np.bool_], people: People, parts: Parts | None = None
) -> tuple[Prior, int, int]:
    """The prior, and of how many people and photos it is.

    Args:
        vectors: shape (n, 1 + d).
        new: photos that the model was not trained on, shape (n,).
        people: those who teach.
        parts: of the vectors; of a model with a richer part its own directions are taken as they are.

    Raises:
        TooFewRatings: see :func:`add_prior`.
    """
    rows = np.concatenate([own for _, own, _ in people] or [np.zeros(0, np.intp)])
    scores = np.concatenate([own for _, _, own in people] or [np.zeros(0)])
    raters = np.bincount(rows, minlength=len(vectors))
    crowd = np.bincount(rows, scores, minlength=len(vectors)) / np.maximum(raters, 1)
    often = raters >= FEWEST_RATERS
    used = [(own[often[own]], given[often[own]]) for _, own, given in people if often[own].any()]
    _check(len(used), int((often & new).sum()))
    if len(used) > MOST_PEOPLE:
        chosen = stream(0, "prior", "people", len(used)).permutation(len(used))[:MOST_PEOPLE]
        used = [used[place] for place in sorted(chosen)]
    place = np.cumsum(often) - 1
    kept, taught = vectors[often], [(place[own], given) for own, given in used]
    n_richer = 0 if parts is None else parts.widths.get(RICHER, 0)
    projection = None if n_richer else Projection.of(kept[:, 1:], most=N_DIRECTIONS)
    if projection is None:
        seen = kept[:, :-n_richer]
    else:
        seen = np.column_stack([kept[:, :1], projection(kept[:, 1:])])
    n_joint = min(N_JOINT, seen.shape[1] - 1)
    prior = learn_prior(seen, crowd[often], taught, n_joint=n_joint, honest=new[often])
    return replace(prior, projection=projection, n_richer=n_richer), len(used), int(often.sum())


def _check(n_people: int, n_new: int) -> None:
    if n_people < FEWEST_PEOPLE:
        raise TooFewRatings(
            f"{n_people} people rated photos that {FEWEST_RATERS} or more rated, and {FEWEST_PEOPLE} are "
            f"needed to tell how people differ; give ratings of more people of the same photos"
        )
    if n_new < FEWEST_NEW:
        raise TooFewRatings(
            f"{n_new} photos that {FEWEST_RATERS} or more people rated are new to the model, and "
            f"{FEWEST_NEW} are needed to tell how far its scores err; give ratings of photos that it was "
            "not trained on"
        )
