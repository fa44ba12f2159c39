"""What lies in a dataset's folder: found against published counts, and whether a protocol can run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from generic.atomic import write_bytes
from generic.errors import ImageError
from generic.photos.find import find_images, printable
from piaa.ratings.files.write import csv_bytes, csv_text
from piaa.ratings.locate import locate_images
from piaa.ratings.scale import Scale
from protocols.datasets.counts import PublishedCount
from protocols.datasets.dataset import Dataset
from protocols.datasets.load import DATASETS

SHOTS = (10, 100)
"""Numbers of ratings to learn from that papers report, the fewest first: the fewest decide what can run."""
_RANKED = 2
"""Ratings without which nothing can be ranked, beside those to learn from."""

_SHOWN_NAMES = 10
_MOST_BARS = 20
_WIDTH = 24


@dataclass(frozen=True, kw_only=True)
class CountRow:
    """One quantity, found and published."""

    what: str
    found: int | str
    """A count, or "min/median/max"."""
    published: tuple[PublishedCount, ...]
    """What others state; empty where nobody does."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether a protocol can run on what was found."""

    can_run: bool
    why: str
    """On how much, or what is lacking."""


@dataclass(frozen=True, kw_only=True)
class CheckReport:
    """What ``check`` found: ``lines`` for people, ``facts`` for machines, ``write_problems`` for names."""

    dataset: str
    scale: str
    counts: tuple[CountRow, ...]
    histogram: Mapping[str, int]
    """How often each score was given; by ranges "low..high" where there are more than 20 scores."""
    images: str | None
    """The folder of the images; None for labels only."""
    n_named: int
    """Images that the labels and lists name."""
    missing: tuple[tuple[str, str], ...]
    """Named images without a file, each with the reason; empty for labels only."""
    unlabelled: tuple[str, ...]
    """Image files that no label or list names."""
    has_users: bool
    """True if there are ratings by single users."""
    user_protocol: Verdict
    """Few-shot tests on single users."""
    generic_protocol: Verdict
    """Training of a generic model on means."""
    notes: tuple[str, ...]

    @property
    def can_run(self) -> bool:
        """True if the protocol that the dataset is for can run: on users where there are ratings by users."""
        return (self.user_protocol if self.has_users else self.generic_protocol).can_run

    def lines(self) -> list[str]:
        """The report as aligned text; at most the first ten names of a kind."""
        found = [f"{row.found:,}" if isinstance(row.found, int) else row.found for row in self.counts]
        width = max(len("found"), *map(len, found))
        lines = [f"{self.dataset}, scores on {self.scale}", f"{'':<{_WIDTH}}{'found':>{width}}  published"]
        for row, text in zip(self.counts, found, strict=True):
            lines.append(f"{row.what:<{_WIDTH}}{text:>{width}}  {_stated(row.published)}".rstrip())
        bars = "  ".join(f"{score}: {n:,}" for score, n in self.histogram.items())
        lines += [f"{'scores':<{_WIDTH}}{bars}", *self._image_lines()]
        for what, verdict in (("user", self.user_protocol), ("generic", self.generic_protocol)):
            can = "can run" if verdict.can_run else "cannot run"
            lines.append(f"{what + ' protocol':<{_WIDTH}}{can}: {verdict.why}")
        return lines + [f"note: {note}" for note in self.notes]

    def _image_lines(self) -> list[str]:
        if self.images is None:
            return []
        n_missing = len(self.missing)
        lines = [
            f"{'images found':<{_WIDTH}}{self.n_named - n_missing:,} of {self.n_named:,} in {self.images}"
        ]
        shown = [f"{printable(name)}: {reason}" for name, reason in self.missing]
        for what, names in (("missing", shown), ("without a label", list(map(printable, self.unlabelled)))):
            if names:
                lines.append(f"{'images ' + what:<{_WIDTH}}{len(names):,}")
                lines += [f"  {name}" for name in names[:_SHOWN_NAMES]]
                if len(names) > _SHOWN_NAMES:
                    lines.append(f"  and {len(names) - _SHOWN_NAMES:,} more (all with --out)")
        return lines

    def facts(self) -> dict[str, object]:
        """The whole report as plain values for JSON."""
        facts = asdict(self)
        facts["missing"] = [{"image": name, "reason": reason} for name, reason in self.missing]
        return {**facts, "can_run": self.can_run}

    def write_problems(self, path: Path) -> None:
        """Write every missing and every unlabelled image as CSV with the columns image, problem, reason.

        Raises:
            OutputError: the file cannot be written; an older one is untouched.
        """
        rows = [(name, "missing", reason) for name, reason in self.missing]
        rows += [(name, "no label", "") for name in self.unlabelled]
        write_bytes(path, csv_bytes(csv_text(("image", "problem", "reason"), rows)))


def check(dataset: Dataset) -> CheckReport:
    """Compare a dataset with its published counts and look for its images.

    Args:
        dataset: any; without a folder of images only its labels are checked.

    Returns:
        the report; nothing that is wrong with the data is raised.
    """
    named = tuple(
        dict.fromkeys((*dataset.labelled(), *(n for names in dataset.lists.values() for n in names)))
    )
    missing: tuple[tuple[str, str], ...] = ()
    unlabelled: tuple[str, ...] = ()
    if dataset.images is not None:
        files, absent = locate_images(named, dataset.images, exact=dataset.paths)
        missing = tuple((name, reason) for name, reason in absent)
        unlabelled = _unlabelled(dataset.images, files.values())
    usable = set(named).difference(name for name, _ in missing)
    return CheckReport(
        dataset=dataset.name,
        scale=str(dataset.scale),
        counts=_counts(dataset, named),
        histogram=_histogram(dataset),
        images=None if dataset.images is None else printable(str(dataset.images)),
        n_named=len(named),
        missing=missing,
        unlabelled=unlabelled,
        has_users=dataset.ratings is not None,
        user_protocol=_user_verdict(dataset, usable),
        generic_protocol=_generic_verdict(dataset, usable),
        notes=dataset.notes,
    )


def _stated(published: Iterable[PublishedCount]) -> str:
    shown = ((f"{one.value:,}" if isinstance(one.value, int) else one.value, one.source) for one in published)
    return ", ".join(f"{value} ({source})" for value, source in shown)


def _unlabelled(folder: Path, used: Iterable[Path]) -> tuple[str, ...]:
    try:
        photos = find_images(folder)
    except ImageError:  # There is no photo at all; every image counts as missing then.
        return ()
    known = set(used)
    return tuple(path.relative_to(folder).as_posix() for path in photos if path not in known)


def _test_images(dataset: Dataset) -> set[str]:
    """The images that a test user rated."""
    if dataset.ratings is None:
        return set()
    tested = set(dataset.test_users)
    pairs = zip(dataset.ratings.users, dataset.ratings.images, strict=True)
    return {image for user, image in pairs if user in tested}


def _counts(dataset: Dataset, named: Collection[str]) -> tuple[CountRow, ...]:
    """Every quantity that the dataset has, in a fixed order."""
    found: dict[str, int | str] = {}
    if dataset.ratings is not None:
        per_user = Counter(dataset.ratings.users)
        found |= {"ratings": len(dataset.ratings), "users": len(per_user)}
        found["ratings per user"] = _spread(list(per_user.values()))
    found["images"] = len(dataset.labelled())
    if dataset.ratings is not None and dataset.test_users:
        tested = [per_user[user] for user in dataset.test_users]
        test_images = _test_images(dataset)
        found |= {"test users": len(tested), "test ratings": sum(tested)}
        found["ratings per test user"] = _spread(tested)
        found |= {
            "test images": len(test_images),
            "train images": len(set(named).difference(test_images)),
        }
    if dataset.counts:
        found["votes per image"] = _spread([sum(counts) for counts in dataset.counts.values()])
    found |= {f"list {part}": len(names) for part, names in dataset.lists.items()}
    known = DATASETS.get(dataset.name)
    published = known.published if known is not None else ()
    return tuple(
        CountRow(what=what, found=value, published=tuple(one for one in published if one.what == what))
        for what, value in found.items()
    )


def _spread(values: Sequence[int]) -> str:
    """Min, median and max, as "112/120/180"."""
    return f"{min(values)}/{np.median(values):g}/{max(values)}"


def _histogram(dataset: Dataset) -> dict[str, int]:
    """Counts of votes, else of ratings, else of means."""
    if dataset.counts:
        totals = np.array(list(dataset.counts.values())).sum(0).tolist()
        return {f"{dataset.scale.low + step:g}": total for step, total in enumerate(totals)}
    scores = dataset.ratings.scores if dataset.ratings is not None else np.array(list(dataset.means.values()))
    values, counts = np.unique(scores, return_counts=True)
    if len(values) <= _MOST_BARS:
        return {f"{value:g}": n for value, n in zip(values.tolist(), counts.tolist(), strict=True)}
    edges = _edges(dataset.scale)
    bars, _ = np.histogram(scores, edges)
    ranges = (f"{low:.3g}..{high:.3g}" for low, high in pairwise(edges))
    return dict(zip(ranges, bars.tolist(), strict=True))


def _edges(scale: Scale) -> list[float]:
    """Ends of bars of one unit, half a unit on a short scale, or a tenth of any other scale."""
    span = scale.high - scale.low
    n_bars = int(span if span > 5 else 2 * span) if span.is_integer() and 2 <= span <= _MOST_BARS else 10
    return [float(edge) for edge in np.linspace(scale.low, scale.high, n_bars + 1)]


def _user_verdict(dataset: Dataset, usable: set[str]) -> Verdict:
    if dataset.ratings is None:
        return Verdict(can_run=False, why="there are no ratings by single users")
    pairs = zip(dataset.ratings.users, dataset.ratings.images, strict=True)
    per_user = Counter(user for user, image in pairs if image in usable)
    users = dataset.test_users or tuple(dataset.ratings.user_names())
    enough = {k: sum(per_user[user] >= k + _RANKED for user in users) for k in SHOTS}
    kind = "test users" if dataset.test_users else "users"
    where = "" if dataset.images is None else " of images that were found"
    few, many = SHOTS
    why = (
        f"{enough[few]:,} of {len(users):,} {kind} have {few + _RANKED} ratings or more{where}, as {few} "
        f"shots need; {enough[many]:,} have the {many + _RANKED} that {many} shots need"
    )
    return Verdict(can_run=enough[few] > 0, why=why)


def _generic_verdict(dataset: Dataset, usable: set[str]) -> Verdict:
    if dataset.ratings is None and not dataset.lists.get("train"):
        return Verdict(can_run=False, why="there is no split into images for training and for tests")
    train = (
        set(dataset.means).difference(_test_images(dataset))
        if dataset.ratings is not None
        else {image for image in dataset.lists["train"] if image in dataset.means}
    )
    n = len(train & usable)
    where = "a mean" if dataset.images is None else "a mean and a file"
    return Verdict(can_run=n > 0, why=f"{n:,} {'image' if n == 1 else 'images'} for training have {where}")
