"""How far a group's people go from the crowd and how noisily they rate, beside what the prior says of people.

The prior knows tastes of several sizes and ratings of several noises, each pair with a weight. The weights
are learned again from the group's people by the evidence of what they rated, pooled, as if ``SHIPPED``
further people had exactly those of before: few people change little. Which tastes there are, and how
people use the scale, stays: learned anew from a group, both gained nothing or lost.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from generic.seeds import stream
from piaa.adapters.prior import Prior, log_evidence
from piaa.calibrate.cells import Array
from piaa.calibrate.raters import Rows, Table

SHIPPED = 20
"""Imaginary people of the weights of before."""
MOST_PEOPLE, MOST_RATINGS = 100, 60
"""Who are asked, and of how many of their ratings: more take long and change little."""
FEWEST = 10
"""Ratings of a person who is asked."""
ROUNDS = 30


def of_the_group(prior: Prior, vectors: Array, table: Table) -> Prior:
    """The prior with weights of sizes and noises as far as the group's people tell them.

    Args:
        prior: of the model.
        vectors: of the table's photos with scores as if left out, shape (n, 1 + d).
        table: what people rated; unit scores.
    """
    evidence = [log_evidence(prior.basis(vectors[rows]), scores, prior) for rows, scores in _asked(table)]
    if not evidence:
        return prior
    before = np.exp(prior.log_weights) / np.exp(prior.log_weights).sum()
    weights = before
    for _ in range(ROUNDS):
        joint = np.array(evidence) + np.log(weights)
        share = np.exp(joint - joint.max(axis=(1, 2), keepdims=True))
        share /= share.sum(axis=(1, 2), keepdims=True)
        weights = (share.sum(axis=0) + SHIPPED * before) / (len(evidence) + SHIPPED)
    return replace(prior, log_weights=np.log(weights))


def _asked(table: Table) -> list[tuple[Rows, Array]]:
    """Photos and scores of some people, chosen by chance that hangs on the table's size alone."""
    order = np.argsort(table.people, kind="stable")
    places = np.split(order, np.cumsum(np.bincount(table.people, minlength=table.n_people))[:-1])
    able = [place for place in places if len(place) >= FEWEST]
    rng = stream(0, "calibrate", "asked", len(able))
    chosen = [able[number] for number in np.sort(rng.permutation(len(able))[:MOST_PEOPLE])]
    some = [np.sort(rng.permutation(place)[:MOST_RATINGS]) for place in chosen]
    return [(table.rows[place], table.scores[place]) for place in some]
