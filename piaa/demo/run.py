"""``piaa demo``: the main job from nothing, for people whose taste is known.

Everything lands in one folder: the photos, and of the first person ``ratings.csv``, ``piaa.db`` (the store),
``scores.csv`` and ``wall/index.html``; with them each step can be repeated by hand.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from generic.atomic import write_bytes
from generic.cache.features import FeatureCache
from generic.errors import OutputError
from generic.photos.find import printable
from generic.progress import Progress, no_progress
from generic.words import counted
from piaa import load_model
from piaa.adapters.registry import DEFAULT
from piaa.demo.compared import RATED, STARS, Row, asked, compared, table
from piaa.demo.people import draw_people
from piaa.demo.scenes import Scene, render_album
from piaa.people.expected import measured_with
from piaa.people.model import Model
from piaa.people.person import Person
from piaa.people.score_table import ScoreTable
from piaa.ratings.files.write import csv_bytes, csv_text
from piaa.wall.tile import Wall, tiles_of
from piaa.wall.wall import PAGE, write_wall

if TYPE_CHECKING:
    from generic.model.generic_model import Embedded

N_PHOTOS = 100
N_PEOPLE = 20
N_STEPS = 2 * N_PHOTOS
"""Every photo is rendered and then read."""
NAME = "Ana"
"""What the first person is called."""
STORE = "piaa.db"
"""Name of the store in the demo's folder."""
WALL = "wall"
"""Name of the wall's folder."""
NOTE, ABOUT = "README.txt", "Made by `piaa demo`, which replaces it when it is given this folder again.\n"
"""Name and text of a note in the demo's folder, by which it is known again."""


@dataclass(frozen=True, kw_only=True)
class DemoResult:
    """What a demo did and where it lies."""

    story: str
    """Whose photos and whose taste, and that they are simulated."""
    rows: Sequence[Row]
    """What learning is worth to everybody."""
    n_real: int | None
    """Real people who were measured on this model."""
    person: Person
    """The first one."""
    ratings: Mapping[str, int]
    """The ratings that she was learned from."""
    table: ScoreTable
    """The ranking of all other photos."""
    out: Path
    photos: Path

    def facts(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "story": self.story,
            "n_people": N_PEOPLE,
            "compared": [asdict(row) for row in self.rows],
            "user": self.person.user,
            "n_rated": len(self.ratings),
            "n_ranked": len(self.table),
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
        n_rated = counted(len(self.ratings), "photo")
        return [
            self.story,
            "",
            *table(self.rows, N_PEOPLE, self.n_real),
            "Simulated tastes have little in common, so much is to learn; real people share most of theirs.",
            "",
            f"{self.person.user} rated {n_rated}; ranked the other {len(self.table)}:",
            *(f"  {n}. {row['image']}  {row['score']:.2f}" for n, row in enumerate(self.table.rows(3), 1)),
            "",
            f"look at it:  {self.out / WALL / PAGE}",
            "by hand:",
            *(f"  {command}" for command in self.commands()),
            "now with your own: piaa open ~/Pictures",
        ]


def simulated(out: Path, *, seed: int = 0, progress: Progress = no_progress) -> DemoResult:
    """Render an album, let simulated people rate photos of it, learn them, and rank the rest.

    Args:
        out: folder for everything; created.
        seed: names the random streams of album, people and ratings.
        progress: called with the number of photos newly done, of ``N_STEPS``.

    Raises:
        OutputError: the folder cannot be written, or holds something else than a demo.
    """
    _claim(out)
    photos, people = out / "photos", draw_people(N_PEOPLE, seed)
    album = render_album(photos, N_PHOTOS, seed)
    progress(N_PHOTOS)
    ratings = [person.rate([scene for _, scene in album], seed) for person in people]
    model = load_model()
    rows = compared(model, _vectors(model, photos, album, progress), people, ratings, seed)
    names = [name for name, _ in album]
    rated = {names[place]: ratings[0][place] for place in asked(N_PHOTOS, people[0], seed)}
    fitted = _learn(model, rated, photos, out)
    others = [name for name in names if name not in rated]
    measured = measured_with(RATED[0], DEFAULT, model.generic.hash)
    return _finish(
        DemoResult(
            story=f"This album is rendered by code and its {N_PEOPLE} people are simulated: no photographs, "
            f"nobody real.\n{people[0].describe(NAME)}",
            rows=rows,
            n_real=None if measured is None else measured.users,
            person=fitted,
            ratings=rated,
            table=fitted.score_paths([photos / name for name in others], others),
            out=out,
            photos=photos,
        )
    )


def _claim(out: Path) -> None:
    """Take a folder that is new, empty or an earlier demo's; what somebody keeps in another one stays."""
    note, known, holds = out / NOTE, b"", True
    with suppress(OSError):  # a note that cannot be read is none of ours
        holds = out.is_dir() and any(out.iterdir())
        known = note.read_bytes()
    if holds and known != ABOUT.encode():
        raise OutputError(
            f"the demo cannot be written to {printable(str(out))}: it holds files that no demo made, "
            "expected a new or empty folder; name one with --out"
        )
    with suppress(OSError):  # what cannot be written is told with the album
        out.mkdir(parents=True, exist_ok=True)
        write_bytes(note, ABOUT.encode())


def _vectors(
    model: Model, photos: Path, album: Sequence[tuple[str, Scene]], progress: Progress
) -> NDArray[np.float32]:
    paths = [photos / name for name, _ in album]
    with FeatureCache.open(model.settings.cache) as cache:
        read = model.generic.embed(paths, cache=cache, progress=progress)
        return np.stack([one.vector for one in read if one.vector is not None])


def _learn(model: Model, rated: Mapping[str, int], photos: Path, out: Path) -> Person:
    rows = ((NAME, name, score) for name, score in rated.items())
    write_bytes(out / "ratings.csv", csv_bytes(csv_text(("user", "image", "score"), rows)))
    person = model.fit_user(out / "ratings.csv", images=photos, scale=STARS, user=NAME)
    person.save(out / STORE, replace=True)
    return person


def _finish(result: DemoResult) -> DemoResult:
    """Write the table, and a wall of all photos, those that were rated among them."""
    result.table.write(result.out / "scores.csv")
    names = [*result.ratings, *result.table.images]
    found: dict[str, Embedded] = {}
    everything = result.person.score_paths([result.photos / name for name in names], names, found=found)
    own = {name: float(score) for name, score in result.ratings.items()}
    wall = Wall(
        title=f"Ranked for {NAME} from {counted(len(own), 'rating')}",
        about=" ".join(result.story.split()),
        tiles=tiles_of(everything, found, own),
        user=NAME,
        scale=STARS,
    )
    write_wall(wall, result.out / WALL)
    return result
