"""What leaves the page: scores in sidecars, the best in a folder, the ranking as a page of its own."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from generic.errors import OutputError, PiaaError
from generic.model.generic_model import Embedded
from generic.photos.outside import check_outside
from generic.words import counted
from piaa.adapters.base import Adapter
from piaa.adapters.prediction import bend
from piaa.page.album import Album
from piaa.page.taste import Taste
from piaa.people.best_folder import How, place_best
from piaa.people.bursts import first_of_each
from piaa.people.model import Model
from piaa.people.person import Person
from piaa.people.score_table import ScoreTable
from piaa.ratings.scale import Scale
from piaa.stars.gather import name_of
from piaa.stars.plan import Wishes
from piaa.stars.scores import plan_scores
from piaa.stars.shots import raws_beside
from piaa.stars.write import carry_out, undo
from piaa.store.records import is_image
from piaa.store.store import Store
from piaa.wall.tile import Wall, tiles_of
from piaa.wall.wall import check_wall, write_wall

_CHUNK = 4096
_SHOWN = 200


class Saving:
    """Writes what a person asks for, never into a photo.

    Args:
        album: what is ranked.
        model: the generic model.
        store: which stars are ours.
    """

    def __init__(self, album: Album, model: Model, store: Store) -> None:
        self._album, self._model, self._store = album, model, store

    def sidecars(self, taste: Taste, *, stars: bool, dry_run: bool) -> dict[str, Any]:
        """Scores into sidecars, or what would be written.

        Args:
            taste: whose scores.
            stars: stars too, where a photo has none of hers.
            dry_run: only say what would be written.

        Raises:
            PiaaError: nothing was learned yet, or it cannot be written.
        """
        person, wishes = self._person(taste), Wishes(stars=stars)
        plan = plan_scores(person, self._table(taste), self._album.given, self._store, wishes)
        found = {
            "n_sidecars": len(plan.wishes),
            "n_new": plan.n_new,
            "n_stars": plan.n_stars,
            "n_same": plan.n_same,
            "n_rated": plan.n_rated,
            "n_written": 0,
            "names": [name_of(one.path, plan.root) for one in plan.wishes[:_SHOWN]],
            "skipped": dict(plan.skipped),
        }
        if not dry_run:
            done = carry_out(plan, self._store, taste.user)
            found |= {"n_written": done.n, "skipped": {**plan.skipped, **done.skipped}}
        return found

    def undo_sidecars(self, user: str) -> dict[str, Any]:
        """Put sidecars back as they were before the last writing.

        Raises:
            StarsError: there is nothing that could be taken back.
        """
        return asdict(undo(self._album.root, self._store, user))

    def best(self, taste: Taste, n: int, folder: str, how: How, bursts: np.ndarray | None) -> dict[str, Any]:
        """Copy the best n photos into a folder, or link to them.

        Args:
            taste: whose ranking.
            n: how many.
            folder: an absolute path.
            how: ``copy`` or ``link``.
            bursts: of each row, of which the best alone is taken; None takes all.

        Raises:
            OutputError: the folder must not or cannot be written.
        """
        place = _place(folder)
        check_outside(place, [self._album.root])
        rows = self._order(taste)
        if bursts is not None:
            rows = [rows[one] for one in first_of_each([int(bursts[row]) for row in rows])]
        best = [self._album.photos[row].path for row in rows[: max(n, 1)]]
        placed = place_best(best, place, how, raws_beside(best))
        return {**placed.facts(), "lines": placed.lines()}

    def html(self, taste: Taste, folder: str) -> dict[str, Any]:
        """The ranking as a page that any browser opens as a file.

        Raises:
            OutputError: the folder must not or cannot be written.
        """
        place = _place(folder)
        check_wall(place, [self._album.root])
        photos = self._album.photos
        table = self._table(taste)
        rows = {photos[row].name: int(row) for row in self._album.known_rows()}
        read = {
            name: Embedded(path=photos[row].path, digest=photos[row].sha256, identity=photos[row].identity)
            for name, row in rows.items()
        }
        own = {photos[row].name: score for row, score in taste.words(self._album).own.items()}
        wall = Wall(
            title=f"Ranked for {taste.user}" if taste.learned else "The crowd’s ranking",
            about=f"{counted(len(table), 'photo')}, scores by {self._model.generic.name}",
            tiles=tiles_of(table, read, own),
            user=taste.user if taste.learned else None,
            scale=taste.scale,
        )
        page = write_wall(wall, place)
        return {"page": str(page), "lines": [f"{counted(len(table), 'photo')}: open {page}"]}

    def _person(self, taste: Taste) -> Person:
        if taste.learned is None:
            raise PiaaError(
                f"nothing was learned of {taste.user!r} yet, so no score can be written; rate a photo first"
            )
        return Person(
            model=self._model,
            user=taste.user,
            scale=Scale(*taste.scale),
            adapter=taste.learned.adapter,
            ratings=taste.learned.ratings,
        )

    def _table(self, taste: Taste) -> ScoreTable:
        rows = self._album.known_rows()
        if not len(rows):
            raise PiaaError("no photo was read yet; wait a moment")
        scale = Scale(*taste.scale)
        parts = []
        for start in range(0, len(rows), _CHUNK):
            x = self._album.vectors(rows[start : start + _CHUNK])
            generic = scale.from_unit(bend(x[:, 0]))
            if taste.learned is None:
                parts.append(generic[None])
                continue
            parts.append(np.stack([*intervals(taste.learned.adapter, x, taste.scale), generic]))
        names = [self._album.photos[row].name for row in rows]
        unread = {one.name: one.error for one in self._album.photos if one.error}
        return ScoreTable.ranked(names, np.concatenate(parts, axis=1), unread)

    def _order(self, taste: Taste) -> list[int]:
        """Rows as the wall shows them: a star of hers stands, among equal ones the prediction orders."""
        rows = {self._album.photos[row].name: int(row) for row in self._album.known_rows()}
        table, own = self._table(taste), taste.words(self._album).own
        predicted = dict(zip((rows[name] for name in table.images), table.scores.tolist(), strict=True))
        return sorted(predicted, key=lambda row: (-own.get(row, predicted[row]), -predicted[row], row))


def intervals(adapter: Adapter, vectors: np.ndarray, scale: tuple[float, float]) -> list[np.ndarray]:
    """Score and the ends of its 80 % interval, each of shape (n,), on a person's scale."""
    predicted = adapter.predict(vectors)
    span = Scale(*scale)
    return [span.from_unit(column) for column in (predicted.score, predicted.low, predicted.high)]


def _place(folder: str) -> Path:
    try:
        place = Path(folder).expanduser()
    except RuntimeError:  # ~ of somebody who has no home here
        place = Path(folder)
    if not folder.strip() or not is_image(folder) or "\0" in folder or not place.is_absolute():
        raise OutputError(f"{folder!r} is no folder's whole path; give one that begins at the top, or with ~")
    return place
