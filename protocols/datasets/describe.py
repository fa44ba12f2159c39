"""How much a dataset leaves to test on: query images per user at each number of shots."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from generic.errors import DatasetError
from generic.words import counted
from protocols.datasets.dataset import Dataset

MIN_QUERY = 2
"""Query images below which a user has no rank correlation."""


@dataclass(frozen=True, kw_only=True)
class ShotsRow:
    """What remains when every user gives k ratings to learn from."""

    k: int
    n_users: int
    """Users with at least ``MIN_QUERY`` query images."""
    n_short: int
    """Users with fewer, who are skipped."""
    smallest: int | None
    """Fewest query images of a user who is not skipped; None if all are, as the next two."""
    median: float | None
    largest: int | None


@dataclass(frozen=True, kw_only=True)
class Description:
    """The users of a dataset and the query images they leave."""

    dataset: str
    who: str
    """"test users" where the dataset names some, else "users"."""
    ratings_per_user: Mapping[str, int]
    shots: tuple[ShotsRow, ...]

    def lines(self) -> list[str]:
        """The description as aligned text."""
        per_user = list(self.ratings_per_user.values())
        lines = [
            f"{self.dataset}: {counted(len(per_user), self.who.removesuffix('s'))}, "
            f"{counted(sum(per_user), 'rating')}, "
            f"{min(per_user)}/{np.median(per_user):g}/{max(per_user)} per user (min/median/max)",
            f"{'shots':>5}  {'users':>7}  {'skipped':>7}  query images per user (min/median/max)",
        ]
        for row in self.shots:
            spread = "none" if row.median is None else f"{row.smallest}/{row.median:g}/{row.largest}"
            lines.append(f"{row.k:>5}  {row.n_users:>7,}  {row.n_short:>7,}  {spread}")
        return lines

    def facts(self) -> dict[str, object]:
        """The description as plain values for JSON."""
        return asdict(self)


def describe(dataset: Dataset, shots: Sequence[int]) -> Description:
    """Count the query images that remain per user beyond each number of shots.

    Args:
        dataset: one with individual ratings.
        shots: numbers of ratings to learn from, each at least 1.

    Returns:
        one row per number of shots, in their order; over the test users if the dataset names any.

    Raises:
        DatasetError: there are no individual ratings, or a number of shots is below 1.
    """
    if dataset.ratings is None:
        raise DatasetError(
            f"dataset {dataset.name!r} has no ratings by single users here, so there is nothing to learn "
            "from; describe one that has, such as flickr-aes"
        )
    if not shots or min(shots) < 1:
        raise DatasetError(f"the shots are {list(shots)}, expected numbers of 1 or more such as 10 and 100")
    counts = Counter(dataset.ratings.users)
    users = dataset.test_users or tuple(dataset.ratings.user_names())
    per_user = {user: counts[user] for user in users}
    return Description(
        dataset=dataset.name,
        who="test users" if dataset.test_users else "users",
        ratings_per_user=per_user,
        shots=tuple(_row(k, list(per_user.values())) for k in shots),
    )


def _row(k: int, per_user: Sequence[int]) -> ShotsRow:
    query = [n - k for n in per_user if n - k >= MIN_QUERY]
    return ShotsRow(
        k=k,
        n_users=len(query),
        n_short=len(per_user) - len(query),
        smallest=min(query, default=None),
        median=float(np.median(query)) if query else None,
        largest=max(query, default=None),
    )
