"""Directions in which people's ratings of the same photos differ: what a mean cannot teach a network.

Of each person's ratings, her level and the part that follows the crowd's mean are taken away; what is left,
as a matrix of people and photos, has a few strong principal directions (say, for and against pictures of
people). Their values on the photos are targets beside the mean while a network is trained. They are dropped
afterwards; the prior (:mod:`piaa.adapters.prior`) finds its own directions in the trained features.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from piaa.ratings.table import Ratings

Array = NDArray[np.float64]


def taste_directions(ratings: Ratings, photos: Sequence[str], n: int) -> Array:
    """The strongest directions of taste, on each set of photos that no person links to another.

    Photos that different people rated, as the lists of a study, cannot share a direction: each such set has
    its own, unknown on all others.

    Args:
        ratings: of people on the photos.
        photos: their names.
        n: directions of a set; fewer where it has fewer people or photos than that.

    Returns:
        shape (len(photos), n * sets), NaN where unknown; on its set, a direction has mean square 1.
    """
    users = {user: row for row, user in enumerate(dict.fromkeys(ratings.users))}
    place = {photo: column for column, photo in enumerate(photos)}
    rows = np.array([users[user] for user in ratings.users])
    columns = np.array([place[image] for image in ratings.images])
    residuals = _residuals(rows, columns, ratings.unit_scores, (len(users), len(photos)))
    n_nodes = len(users) + len(photos)
    links = coo_array((np.ones(len(rows)), (rows, len(users) + columns)), shape=(n_nodes, n_nodes))
    _, labels = connected_components(links, directed=False)
    found = []
    for label in np.unique(labels[len(users) :]):
        own_users, own = (np.flatnonzero(part == label) for part in np.split(labels, [len(users)]))
        directions = np.linalg.svd(residuals[np.ix_(own_users, own)], full_matrices=False)[2][:n]
        values = np.full((len(photos), len(directions)), np.nan)
        values[own] = directions.T * np.sqrt(len(own))
        found.append(values)
    return np.concatenate(found, 1) if found else np.zeros((len(photos), 0))


def _residuals(
    rows: NDArray[np.intp], columns: NDArray[np.intp], unit: Array, shape: tuple[int, int]
) -> Array:
    """Ratings less each person's line through the crowd's means, less each photo's mean of that; else 0."""
    means = np.bincount(columns, unit, shape[1]) / np.maximum(np.bincount(columns, minlength=shape[1]), 1)
    count = np.bincount(rows, minlength=shape[0])
    crowd = means[columns]

    def centred(values: Array) -> Array:
        return np.asarray(values - (np.bincount(rows, values, shape[0]) / count)[rows])

    own, usual = centred(unit), centred(crowd)
    slope = np.bincount(rows, own * usual, shape[0]) / np.maximum(np.bincount(rows, usual**2, shape[0]), 1e-9)
    left = own - slope[rows] * usual
    per_photo = np.bincount(columns, left, shape[1]) / np.maximum(np.bincount(columns, minlength=shape[1]), 1)
    matrix = np.zeros(shape)
    matrix[rows, columns] = left - per_photo[columns]
    return matrix
