"""``piaa demo``: the main job from nothing, and the same on a person's own photos.

Everything lands in one folder: the photos (if rendered), ``ratings.csv``, ``piaa.db`` (the store),
``scores.csv`` and ``wall/index.html``; with them each step can be repeated by hand.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from generic.atomic import write_bytes
from generic.cache.features import FeatureCache
from generic.errors import OutputError, PiaaError, TooFewRatings
from generic.metrics import spearman
from generic.photos.find import find_images
from generic.progress import Progress, no_progress
from generic.words import counted
from piaa import load_model
from piaa.demo.person import PERSONS
from piaa.demo.scenes import render_album
from piaa.people.model import Model
from piaa.people.person import Person
from piaa.people.score_table import ScoreTable
from piaa.people.tell import known_of, tell_ratings
from piaa.ratings.accept import as_ratings
from piaa.ratings.files.write import csv_bytes, csv_text
from piaa.store.store import Store
from piaa.wall.tile import Tile, Wall, tiles_of
from piaa.wall.wall import PAGE, write_wall

if TYPE_CHECKING:
    from generic.model.generic_model import Embedded

N_PHOTOS = 60
N_RATED = 10
N_STEPS = 2 * N_PHOTOS
"""Every photo is rendered and then read."""
STORE = "piaa.db"
"""Name of the store in the demo's folder."""
WALL = "wall"
"""Name of the wall's folder."""


@dataclass(frozen=True, kw_only=True)
class DemoResult:
    """What a demo did and where it lies."""

    story: str
    """Whose photos and whose taste, and whether they are simulated."""
    person: Person
    ratings: Mapping[str, int]
    """The ratings that were learned from."""
    table: ScoreTable
    """The ranking of all other photos."""
    before: float | None
    """SRCC of the generic ranking of the other photos with the person's ratings, if these are known."""
    after: float | None
    """The same for the personal ranking."""
    unreadable: Sequence[str]
    """Photos that were left out because they cannot be read."""
    out: Path
    photos: Path

    def facts(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "story": self.story,
            "user": self.person.user,
            "n_rated": len(self.ratings),
            "n_ranked": len(self.table),
            "srcc_before": self.before,
            "srcc_after": self.after,
            "skipped": list(self.unreadable),
            "folder": str(self.out),
            "commands": self.commands(),
        }

    def commands(self) -> list[str]:
        """The same steps by hand."""
        photos, ratings, store = (
            shlex.quote(str(path)) for path in (self.photos, self.out / "ratings.csv", self.out / STORE)
        )
        person = f"--user {shlex.quote(self.person.user)} --store {store}"
        return [
            f"piaa fit-user {person} --ratings {ratings} --images {photos} --replace",
            f"piaa score {photos} {person} --top 20",
        ]

    def lines(self) -> list[str]:
        """For people."""
        text = [self.story, ""]
        if self.unreadable:
            names = ", ".join(self.unreadable[:5])
            text += [f"left out {counted(len(self.unreadable), 'photo')} that cannot be read: {names}"]
        rated = counted(len(self.ratings), "photo")
        text += [f"{self.person.user} rated {rated}; ranked the other {len(self.table)}:"]
        for n, row in enumerate(self.table.rows(5), 1):
            text += [f"  {n}. {row['image']}  {row['score']:.2f} (generic {row['generic']:.2f})"]
        if self.before is not None and self.after is not None:
            text += [
                "",
                f"agreement with {self.person.user}'s own ratings of these {len(self.table)} photos (SRCC):",
                f"  before, generic ranking:    {self.before:.2f}",
                f"  after {counted(len(self.ratings), 'rating')}, personal: {self.after:.2f}",
            ]
        text += ["", f"look at it:  {self.out / WALL / PAGE}", "by hand:"]
        return text + [f"  {command}" for command in self.commands()]


def simulated(
    out: Path,
    *,
    person: str = "Chiyo",
    seed: int = 0,
    progress: Progress = no_progress,
) -> DemoResult:
    """Render an album, let a simulated person rate ten photos of it, learn, rank the rest.

    Args:
        out: folder for everything; created.
        person: one of :data:`piaa.demo.person.PERSONS`.
        seed: names the random streams of album and ratings.
        progress: called with the number of photos newly done, of ``N_STEPS``.

    Raises:
        PiaaError: there is no such person.
        OutputError: the folder cannot be written.
    """
    if person not in PERSONS:
        raise PiaaError(f"there is no simulated person {person!r}; choose one of {', '.join(PERSONS)}")
    somebody, photos = PERSONS[person], out / "photos"
    _make(photos)
    album = render_album(photos, N_PHOTOS, seed)
    progress(N_PHOTOS)
    everything = somebody.rate_album(album, seed)
    model = load_model()
    chosen, others, unreadable, _ = _spread(model, photos, progress)
    rated = {name: everything[name] for name in chosen}
    fitted = _learn(model, rated, photos, person, out)
    table = fitted.score_paths([photos / name for name in others], others)
    truth = [everything[name] for name in table.images]
    story = (
        f"This album is rendered by code and {person} is simulated: not photographs, not a person.\n"
        f"{somebody.describe()}"
    )
    return _finish(
        DemoResult(
            story=story,
            person=fitted,
            ratings=rated,
            table=table,
            before=spearman(np.asarray(table.generic), truth),
            after=spearman(table.scores, truth),
            unreadable=unreadable,
            out=out,
            photos=photos,
        )
    )


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Photos that a person is asked to rate."""

    model: Model
    out: Path
    photos: Path
    names: Sequence[str]
    """What to rate, relative to ``photos``."""
    others: Sequence[str]
    """All other readable photos."""
    unreadable: Sequence[str]
    sheet: Path
    """A page with the photos to rate, numbered from 1."""


def choose(out: Path, photos: Path, *, progress: Progress = no_progress) -> Choice:
    """Read a folder and choose ten photos to rate.

    Args:
        out: folder for everything; created. What lies in it is not read.
        photos: the person's photos.
        progress: called with the number of photos newly read.

    Raises:
        ImageError: the folder has no photo, or not one can be read.
        TooFewRatings: fewer than two photos can be read.
    """
    _make(out)
    model = load_model()
    names, others, unreadable, found = _spread(model, photos, progress, leave_out=out)
    tiles = [Tile(path=photos / name, identity=found[name].identity, name=name) for name in names]
    wall = Wall(title="Which do you like?", about="Rate these from 1 to 5, where you were asked", tiles=tiles)
    sheet = write_wall(wall, out / "rate-these")
    return Choice(
        model=model, out=out, photos=photos, names=names, others=others, unreadable=unreadable, sheet=sheet
    )


def own_photos(choice: Choice, ask: Callable[[int, str], int | None], *, user: str = "me") -> DemoResult:
    """Ask for the ratings, learn, rank the rest. What was answered before, in a run that ended early, stays.

    Args:
        choice: see :func:`choose`.
        ask: given a number and a photo's name, returns a rating 1..5 or None to leave it out.
        user: the person's name in the store.

    Raises:
        TooFewRatings: no photo was rated.
    """
    rated = _answers(choice, ask, user)
    others = [*choice.others, *(name for name in choice.names if name not in rated)]
    fitted = choice.model.refit(user, store=choice.out / STORE)
    return _finish(
        DemoResult(
            story=f"Your photos from {choice.photos}, ranked for you.",
            person=fitted,
            ratings=rated,
            table=fitted.score_paths([choice.photos / name for name in others], others),
            before=None,
            after=None,
            unreadable=choice.unreadable,
            out=choice.out,
            photos=choice.photos,
        )
    )


def _answers(choice: Choice, ask: Callable[[int, str], int | None], user: str) -> dict[str, int]:
    """The ratings, each kept in the store as soon as it is given: she may stop at any moment."""
    store, rated = Store(choice.out / STORE), dict[str, int]()
    known = known_of(store, user, choice.model.generic.hash)
    before = {one.image: int(one.score) for one in known.ratings} if known else {}
    for number, name in enumerate(choice.names, 1):
        answer = before.get(name) or ask(number, name)
        if answer is not None:
            rated[name] = answer
            if name not in before:
                table = as_ratings({name: answer}, (1, 5), user)
                tell_ratings(choice.model, store, user, table, images=choice.photos)
            _write_table(rated, user, choice.out)
    if not rated:
        raise TooFewRatings(
            "no photo was rated, so there is nothing to learn; run the demo again and rate some"
        )
    return rated


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot create folder {folder}: {error.strerror}; choose another with --out"
        ) from error


def _spread(
    model: Model, photos: Path, progress: Progress, leave_out: Path | None = None
) -> tuple[list[str], list[str], list[str], dict[str, Embedded]]:
    """Ten photos from the whole of the generic ranking, the others, the unreadable ones, and what was read.

    Ten of one kind would teach little; equal steps through the ranking take some of each.
    """
    paths = find_images(photos)
    if leave_out is not None:
        paths = [path for path in paths if not path.resolve().is_relative_to(leave_out.resolve())]
    with FeatureCache.open(model.settings.cache) as cache:
        results = list(model.generic.embed(paths, cache=cache, progress=progress))
    found = {item.path.relative_to(photos).as_posix(): item for item in results}
    unreadable = [name for name, item in found.items() if item.vector is None]
    scores = {name: -float(item.vector[0]) for name, item in found.items() if item.vector is not None}
    ranked = sorted(scores, key=lambda name: (scores[name], name))
    if len(ranked) < 2:
        raise TooFewRatings(
            f"{photos} has {len(ranked)} readable photos, but at least 2 are needed; add photos"
        )
    # At least one photo stays unrated, to be ranked.
    count = min(N_RATED, len(ranked) - 1)
    places = np.linspace(0, len(ranked) - 1, count).round().astype(int)
    chosen = [ranked[place] for place in places]
    return chosen, [name for name in ranked if name not in set(chosen)], unreadable, found


def _write_table(rated: Mapping[str, int], user: str, out: Path) -> None:
    rows = ((user, name, score) for name, score in rated.items())
    write_bytes(out / "ratings.csv", csv_bytes(csv_text(("user", "image", "score"), rows)))


def _learn(model: Model, rated: Mapping[str, int], photos: Path, user: str, out: Path) -> Person:
    _write_table(rated, user, out)
    person = model.fit_user(out / "ratings.csv", images=photos, scale=(1, 5), user=user)
    person.save(out / STORE, replace=True)
    return person


def _finish(result: DemoResult) -> DemoResult:
    """Write the table, and a wall of all photos, those that were rated among them."""
    result.table.write(result.out / "scores.csv")
    names = [*result.ratings, *result.table.images]
    found: dict[str, Embedded] = {}
    paths = [result.photos / name for name in names]
    everything = result.person.score_paths(paths, names, found=found)
    user, scale = result.person.user, result.person.scale
    own = {name: float(score) for name, score in result.ratings.items()}
    wall = Wall(
        title=f"Ranked for {user} from {counted(len(own), 'rating')}",
        about=" ".join(result.story.split()),
        tiles=tiles_of(everything, found, own),
        user=user,
        scale=(scale.low, scale.high),
    )
    write_wall(wall, result.out / WALL)
    return result
