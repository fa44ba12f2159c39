"""How splits are made: by official lists, by our own frozen rule, or by lists of a person's own.

Where papers name a number of test users but never published whom, users are put in the order of
the SHA-256 hash of their names. The order of two users depends on their two names alone: not on
the rows of the file, not on other users, not on a random generator. From that order

- AADB and PARA take the first n among the users with at least ``MIN_RATINGS`` ratings, because the
  literature's 22 and 40 are exact. Adding a user can at most let that user in and push the last
  one out; no other user moves.
- ``test_share`` takes every user whose hash, as a fraction of 1, is below the share. A user's side
  then depends on that user's name alone, and the number of test users is only about share * n.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence

from generic.errors import DatasetError
from generic.words import counted
from piaa.ratings.table import Ratings
from protocols.datasets.dataset import Dataset
from protocols.splits.split import Split, check_known, known_images

HASHED_TEST_USERS = {"aadb": 22, "para": 40}
"""Datasets whose test users were never published, with the literature's number of them."""

MIN_RATINGS = 110
"""Ratings on test images that a hashed test user has at least: 100 of support and 10 of query."""

# With 25 raters an image, 40 of 438 users rate nine of ten: training images "that none of them rated"
# would be one of ten. Its official list of test images leaves all others to training.
_TESTED_ON_OFFICIAL_IMAGES = ("para",)

_SPLIT_BY_LISTS = ("ava",)
"""Datasets that papers split by lists of images, which commands take."""

_ITS_LIST = "the list that comes with the dataset"


def make_split(
    dataset: Dataset,
    *,
    test_users: Sequence[str] | None = None,
    test_images: Sequence[str] | None = None,
    test_share: float | None = None,
) -> Split:
    """The dataset's own split, or one by lists.

    Without options: official test users if there are any (FLICKR-AES), hashed ones for AADB and
    PARA, the latter on the official test images if the list is there; all users for REAL-CUR (for
    cross-dataset tests only); the official image lists where there are no individual ratings (AVA,
    TAD66K).

    Args:
        dataset: labels are enough.
        test_users: by user: these against all others, and training images are those that none of
            them rated.
        test_images: by image: these against all others, and test users are those who rated one
            of them. With test users, given or the dataset's own, by both: what test users think of
            training images and training users of test images is then used nowhere.
        test_share: by user, who are drawn by the hash of their names; in (0, 1).

    Raises:
        DatasetError: the dataset has not what the rule needs, or a list names what it has no label of.
    """
    if test_share is not None:
        if test_users is not None or not 0 < test_share < 1:
            what = "given beside test users" if test_users is not None else "outside of (0, 1)"
            raise DatasetError(f"test_share={test_share} is {what}; give one of the two, a share such as 0.2")
        users = share_of_users(dataset.name, _ratings(dataset).user_names(), test_share)
        if not users:
            n_users = counted(len(_ratings(dataset).user_names()), "user")
            raise DatasetError(
                f"test_share={test_share} draws nobody of the {n_users} of "
                f"dataset {dataset.name!r}; give a larger share or a list of test users"
            )
        drawn = f"the users whose SHA-256 of 'piaa/{dataset.name}/' + name is below {test_share} of its range"
        return _by_users(dataset, users, drawn, test_images)
    if test_users is not None:
        return _by_users(dataset, test_users, "a given list", test_images)
    if test_images is None:
        return _official(dataset)
    if dataset.test_users:
        return _by_users(dataset, dataset.test_users, _ITS_LIST, test_images)
    return _by_images(dataset, test_images)


def _official(dataset: Dataset) -> Split:
    if dataset.ratings is not None:
        if dataset.test_users:
            return _by_users(dataset, dataset.test_users, _ITS_LIST, None)
        if dataset.name in HASHED_TEST_USERS:
            return _hashed(dataset, dataset.ratings, HASHED_TEST_USERS[dataset.name])
        if dataset.name == "real-cur":
            return _by_users(dataset, dataset.ratings.user_names(), "everybody, nothing to train on", None)
    if dataset.lists.get("train") and dataset.lists.get("test"):
        return _by_lists(dataset)
    lists = "name two lists, --train FILE and --test FILE, or " if dataset.name in _SPLIT_BY_LISTS else ""
    by_user = (
        "" if dataset.ratings is None else ", test users (--test-users FILE) or a share (--test-share 0.2)"
    )
    raise DatasetError(
        f"dataset {dataset.name!r} has no split of its own; {lists}make one with `piaa data split` and test "
        f"images (--test-images FILE){by_user}"
    )


def hash_order(dataset: str, users: Iterable[str]) -> list[str]:
    """Users in the order of the SHA-256 of ``piaa/<dataset>/<user>``, each once.

    Example:
        >>> hash_order("aadb", ["A1", "A2", "A3", "A1"])
        ['A3', 'A1', 'A2']
    """
    return sorted(set(users), key=lambda user: (_digest(dataset, user), user))


def share_of_users(dataset: str, users: Iterable[str], share: float) -> list[str]:
    """The users whose hash, as a fraction of its range, is below the share; sorted by name.

    Example:
        >>> len(share_of_users("table", map(str, range(1000)), 0.2))
        214
    """
    chosen = (u for u in set(users) if int.from_bytes(_digest(dataset, u)[:8], "big") / 2**64 < share)
    return sorted(chosen)


def _digest(dataset: str, user: str) -> bytes:
    return hashlib.sha256(f"piaa/{dataset}/{user}".encode("utf-8", "surrogatepass")).digest()


def _hashed(dataset: Dataset, ratings: Ratings, n: int) -> Split:
    images = dataset.lists.get("test") if dataset.name in _TESTED_ON_OFFICIAL_IMAGES else None
    countable = known_images(dataset) if images is None else set(images)
    pairs = zip(ratings.users, ratings.images, strict=True)
    n_ratings = Counter(user for user, image in pairs if image in countable)
    eligible = [user for user, count in n_ratings.items() if count >= MIN_RATINGS]
    of = "ratings" if images is None else "ratings of official test images"
    if len(eligible) < n:
        raise DatasetError(
            f"dataset {dataset.name!r} has {len(eligible)} users with at least {MIN_RATINGS} {of}, "
            f"but its split tests {n}; give the whole per-user label file, or make a split with `piaa data "
            f"split` and test users (--test-users FILE)"
        )
    how = (
        f"the first {n} by SHA-256 of 'piaa/{dataset.name}/' + name among those with at least {MIN_RATINGS} "
        f"{of}, not comparable worker for worker with the papers"
    )
    return _by_users(dataset, hash_order(dataset.name, eligible)[:n], how, images)


def _by_users(dataset: Dataset, users: Sequence[str], how: str, test_images: Sequence[str] | None) -> Split:
    ratings = _ratings(dataset)
    everybody, images = set(ratings.users), known_images(dataset)
    _check_list(dataset, users, everybody, "users")
    tested = set(users)
    if test_images is None:
        pairs = zip(ratings.users, ratings.images, strict=True)
        kept = {image for user, image in pairs if user in tested}
        rule = f"Test users: {how}; test images: all that they rated; training images: all that they did not."
    else:
        _check_list(dataset, test_images, images, "images")
        kept = set(test_images)
        rule = (
            f"Test users: {how}; test images: a list; "
            "other users on test images and test users on other images are left out."
        )
    return _split(dataset, rule, everybody, tested, images, kept)


def _by_images(dataset: Dataset, test_images: Sequence[str]) -> Split:
    images = known_images(dataset)
    _check_list(dataset, test_images, images, "images")
    kept = set(test_images)
    users, rated = (dataset.ratings.users, dataset.ratings.images) if dataset.ratings else ((), ())
    tested = {user for user, image in zip(users, rated, strict=True) if image in kept}
    rule = (
        "Test images: a given list; test users: all who rated one of them, left out of training altogether."
    )
    return _split(dataset, rule, set(users), tested, images, kept)


def _by_lists(dataset: Dataset) -> Split:
    """Images alone; validation serves training, so it stands on that side."""
    train = {*dataset.lists["train"], *dataset.lists.get("validation", ())}
    rule = (
        "Images only, by the official lists; validation images, if any, count as training images; no users."
    )
    return Split(
        dataset=dataset.name,
        rule=rule,
        train_users=(),
        test_users=(),
        train_images=tuple(train),
        test_images=dataset.lists["test"],
    )


def _split(
    dataset: Dataset, rule: str, users: set[str], tested: set[str], images: set[str], kept: set[str]
) -> Split:
    return Split(
        dataset=dataset.name,
        rule=rule,
        train_users=tuple(users - tested),
        test_users=tuple(tested),
        train_images=tuple(images - kept),
        test_images=tuple(kept),
    )


def _ratings(dataset: Dataset) -> Ratings:
    if dataset.ratings is None:
        raise DatasetError(
            f"dataset {dataset.name!r} has no ratings by single users here, so it cannot be split by user; "
            "add its per-user label file, or give test images"
        )
    return dataset.ratings


def _check_list(dataset: Dataset, names: Sequence[str], known: set[str], kind: str) -> None:
    if not names:
        raise DatasetError(f"the list of test {kind} of dataset {dataset.name!r} is empty; name at least one")
    check_known(names, known, kind=kind, where=f"dataset {dataset.name!r}")
