"""Who and what may be trained on, and who and what is tested: one record, checked, hashed, kept in JSON.

Generic training and priors may use the training users' ratings of the training images and nothing
else; personal tests use the test users' ratings of the test images and nothing else. A ``Split`` in
memory is always disjoint; whether the data really used keep to it is what ``check_training`` and
``check_test`` answer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from generic.atomic import write_bytes
from generic.errors import DatasetError, SplitLeak
from generic.words import counted
from piaa.ratings.table import Ratings
from protocols.datasets.dataset import Dataset

_FORMAT = "piaa-split"
_FORMAT_VERSION = 1
_SIDES = ("train_users", "test_users", "train_images", "test_images")
_EXAMPLES = 3


@dataclass(frozen=True, kw_only=True)
class Split:
    """The two sides of a dataset; names are sorted and single, whatever order they were given in.

    Raises:
        SplitLeak: a user or an image is on both sides; the message counts them and names up to three.

    Example:
        >>> split = Split(dataset="table", rule="by hand", train_users=("bo",), test_users=("ana",),
        ...               train_images=("a.jpg",), test_images=("c.jpg", "b.jpg"))
        >>> split.test_images, split.counts["test_images"]
        (('b.jpg', 'c.jpg'), 2)
    """

    dataset: str
    """Name of the dataset that was split."""

    rule: str
    """One sentence that says how the split was made."""

    train_users: tuple[str, ...]
    test_users: tuple[str, ...]
    train_images: tuple[str, ...]
    test_images: tuple[str, ...]

    def __post_init__(self) -> None:
        for side in _SIDES:
            object.__setattr__(self, side, tuple(sorted(set(getattr(self, side)))))
        for kind, train, test in (
            ("users", self.train_users, self._test_users),
            ("images", self.train_images, self._test_images),
        ):
            both = [name for name in train if name in test]
            if both:
                raise SplitLeak(
                    f"split of {self.dataset!r}: {len(both)} of {len(test)} test {kind} are training {kind} "
                    f"too, {_such_as(both)}; keep each on one side"
                )

    @cached_property
    def _test_users(self) -> frozenset[str]:
        return frozenset(self.test_users)

    @cached_property
    def _test_images(self) -> frozenset[str]:
        return frozenset(self.test_images)

    @property
    def counts(self) -> dict[str, int]:
        """How many names each of the four lists holds."""
        return {side: len(getattr(self, side)) for side in _SIDES}

    @cached_property
    def hash(self) -> str:
        """SHA-256, 64 hexadecimal digits, of the dataset's name, the rule, the counts and the four lists."""
        return _checksum(self._content())

    def _content(self) -> dict[str, Any]:
        return {
            "format": _FORMAT,
            "format_version": _FORMAT_VERSION,
            "dataset": self.dataset,
            "rule": self.rule,
            "counts": self.counts,
            **{side: list(getattr(self, side)) for side in _SIDES},
        }

    def check(self, dataset: Dataset) -> None:
        """The split belongs to this dataset, which knows its users and its images.

        Raises:
            DatasetError: it was made for another dataset, or names users or images without any label here.
        """
        if self.dataset != dataset.name:
            raise DatasetError(
                f"the split is of dataset {self.dataset!r}, but the data are {dataset.name!r}; "
                "name the split of these data"
            )
        known_users = set(dataset.ratings.users if dataset.ratings else ())
        for kind, names, known in (
            ("users", (*self.train_users, *self.test_users), known_users),
            ("images", (*self.train_images, *self.test_images), known_images(dataset)),
        ):
            check_known(names, known, kind=kind, where=f"dataset {dataset.name!r}")

    def check_training(self, *, users: Iterable[str] = (), images: Iterable[str] = ()) -> None:
        """Nothing that was trained on is on the test side.

        Args:
            users: whose ratings were used, for a prior or a meta-learned start.
            images: whose labels were used, by the generic model or a prior.

        Raises:
            SplitLeak: some of them are test users or test images.
        """
        for kind, used, test in (("users", users, self._test_users), ("images", images, self._test_images)):
            single = set(used)
            leaked = sorted(single & test)
            if leaked:
                one = kind.removesuffix("s")
                are = f"is a test {one}" if len(leaked) == 1 else f"are test {kind}"
                raise SplitLeak(
                    f"split of {self.dataset!r}: {len(leaked)} of {counted(len(single), one)} used in "
                    f"training {are}, {_such_as(leaked)}; train without them"
                )

    def check_test(self, ratings: Ratings) -> None:
        """Every rating of a personal test, support or query, is a test user's of a test image.

        Raises:
            SplitLeak: some are not.
        """
        for kind, names, test in (
            ("users", ratings.users, self._test_users),
            ("images", ratings.images, self._test_images),
        ):
            foreign = sorted(set(names) - test)
            if foreign:
                one = kind.removesuffix("s")
                are = f"is no test {one}" if len(foreign) == 1 else f"are not test {kind}"
                raise SplitLeak(
                    f"split of {self.dataset!r}: {counted(len(foreign), one)} of a personal test {are}, "
                    f"{_such_as(foreign)}; test on test_ratings alone"
                )

    def training_ratings(self, ratings: Ratings) -> Ratings:
        """The training users' ratings of training images: all that a prior may learn from."""
        return _pick(ratings, frozenset(self.train_users), frozenset(self.train_images))

    def test_ratings(self, ratings: Ratings) -> Ratings:
        """The test users' ratings of test images: the table that episodes are drawn from."""
        return _pick(ratings, self._test_users, self._test_images)

    def training_means(self, dataset: Dataset) -> dict[str, float]:
        """What generic training may learn: a mean score per training image that no test user had a part in.

        Returns:
            image -> mean in units of ``dataset.scale``, sorted by image: the dataset's own mean where no
            test user rated the image, else the training users' mean; without either the image is left out.
        """
        official = {name: dataset.means[name] for name in self.train_images if name in dataset.means}
        if dataset.ratings is None:
            return official
        seen = _pick(dataset.ratings, self._test_users, frozenset(self.train_images))
        touched = frozenset(seen.images)
        clean = _pick(dataset.ratings, frozenset(self.train_users), touched)
        scores: dict[str, list[float]] = {}
        for image, score in zip(clean.images, clean.scores.tolist(), strict=True):
            scores.setdefault(image, []).append(score)
        means = {name: mean for name, mean in official.items() if name not in touched}
        means |= {name: float(np.mean(given)) for name, given in scores.items()}
        return dict(sorted(means.items()))


def write_split(path: str | Path, split: Split) -> None:
    """Write the split as JSON with its counts and its hash; the file is whole or untouched.

    Raises:
        OutputError: the file cannot be written.
    """
    text = json.dumps({**split._content(), "sha256": split.hash}, indent=1)
    write_bytes(path, text.encode() + b"\n")


def read_split(path: str | Path) -> Split:
    """The split that ``write_split`` wrote, to the letter.

    Raises:
        DatasetError: the file cannot be read, is no such file, or was changed since it was written.
        SplitLeak: a user or an image is on both sides.
    """
    path = Path(path)
    content = _parse(path)
    version = content.get("format_version")
    if version != _FORMAT_VERSION:
        _refuse(
            path,
            f"it has format version {version!r}, but this piaa knows version {_FORMAT_VERSION}",
            "upgrade piaa: pip install --upgrade piaa",
        )
    written = content.pop("sha256", None)
    if written != _checksum(content):
        _refuse(path, "its content does not fit its hash", "it was damaged or edited, make the split again")
    split = None
    if all(_is_names(content.get(side)) for side in _SIDES):
        split = Split(
            dataset=str(content.get("dataset")),
            rule=str(content.get("rule")),
            **{side: tuple(content[side]) for side in _SIDES},
        )
    # Whoever edits a file can hash it anew; what is read must still be what would be written.
    if split is None or split.hash != written:
        _refuse(path, "it lacks a part of a split or holds a value that cannot be", "make the split again")
    return split


def _parse(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        _refuse(path, f"it cannot be read: {error.strerror}", "name a file that piaa data split wrote")
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        _refuse(
            path, "it is not a file that piaa data split wrote", "name such a file, or make the split again"
        )
    return content


def _is_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _refuse(path: Path, reason: str, cure: str) -> NoReturn:
    raise DatasetError(f"cannot use the split {str(path)!r}: {reason}; {cure}")


def _checksum(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def known_images(dataset: Dataset) -> set[str]:
    """Every image with a label, and those of official lists, which may lack one."""
    return {*dataset.labelled(), *(name for names in dataset.lists.values() for name in names)}


def check_known(names: Iterable[str], known: Collection[str], *, kind: str, where: str) -> None:
    """Every name is a known one.

    Raises:
        DatasetError: some are not; the message counts them and names up to three.
    """
    single = set(names)
    unknown = sorted(single.difference(known))
    if unknown:
        named = counted(len(single), kind.removesuffix("s"))
        raise DatasetError(
            f"{where} has no label of {len(unknown)} of {named} of the split, {_such_as(unknown)}; check the "
            "spelling or the version of the labels"
        )


def _such_as(names: list[str]) -> str:
    return f"such as {', '.join(map(repr, names[:_EXAMPLES]))}"


def _pick(ratings: Ratings, users: frozenset[str], images: frozenset[str]) -> Ratings:
    pairs = zip(ratings.users, ratings.images, strict=True)
    return ratings.take(np.array([user in users and image in images for user, image in pairs], dtype=bool))
