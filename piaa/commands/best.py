"""What ``piaa score`` does with a ranking beside showing it: chooses, copies, links, makes a wall."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from generic.words import counted
from piaa.commands.progress import AGAIN, progress_bar, stopping

if TYPE_CHECKING:
    from generic.model.generic_model import Embedded
    from piaa.people.best_folder import How
    from piaa.people.model import Model
    from piaa.people.person import Person
    from piaa.people.score_table import ScoreTable

Top = tuple[int, Path]
Unrated = Annotated[bool, typer.Option("--unrated", help="Only photos that she has not rated.")]
PerBurst = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Of each burst, photos of one scene, only the best N.")
]
CopyTop = Annotated[
    Top | None,
    typer.Option(metavar="N DIR", help="Copy the best N into a folder, where nothing is overwritten."),
]
LinkTop = Annotated[
    Top | None, typer.Option(metavar="N DIR", help="Likewise, as symbolic links to the photos.")
]
Html = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Write a wall of thumbnails into a folder; open its index.html."),
]


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """A ranking, whose it is, and what was read of its photos."""

    table: ScoreTable
    found: Mapping[str, Embedded]
    """By the names in the table."""
    model: Model
    person: Person | None
    """None is the crowd."""
    own: Mapping[str, float] = field(default_factory=dict)
    """What she gave, by the names in the table."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """What became of a ranking."""

    table: ScoreTable
    """What is left of it."""
    facts: dict[str, Any]
    """For JSON."""
    lines: list[str]
    """For a person."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What was asked for; :meth:`check` says if it can be had."""

    unrated: bool = False
    per_burst: int | None = None
    copy_top: Top | None = None
    link_top: Top | None = None
    html: Path | None = None

    @property
    def anything(self) -> bool:
        """Whether anything was asked for."""
        return self != Asked()

    @property
    def writes(self) -> bool:
        """Whether files are to be written."""
        return any((self.copy_top, self.link_top, self.html))

    def check(self, photos: Sequence[Path], user: str | None) -> None:
        """Refuse what cannot be done, before the work and not after it.

        Raises:
            OutputError: a folder must not be written to.
        """
        from generic.photos.outside import check_outside

        if self.unrated and user is None:
            raise typer.BadParameter("--unrated needs --user NAME: whose ratings?")
        for top in self._tops().values():
            if top is not None and top[0] < 1:
                raise typer.BadParameter(f"{top[0]} photos are too few to copy or link; give 1 or more")
            if top is not None:
                check_outside(top[1], photos)
        if self.html is not None:
            from piaa.wall.wall import check_wall

            check_wall(self.html, photos)

    def granted(self, ranked: Ranked, top: int | None) -> Done:
        """Chooses photos, then copies, links and shows them.

        Args:
            ranked: the ranking.
            top: only the best go on the wall.

        Raises:
            PiaaError: no photo is left.
            OutputError: something cannot be written.
        """
        done = self._chosen(ranked)
        best = [ranked.found[image].path for image in done.table.images]
        for how, asked in self._tops().items():
            if asked is not None:
                from piaa.people.best_folder import place_best
                from piaa.stars.shots import raws_beside

                chosen = best[: asked[0]]
                placed = place_best(chosen, asked[1], how, raws_beside(chosen))
                done.facts[f"{how}_top"] = placed.facts()
                done.lines.extend(placed.lines())
        if self.html is not None:
            page = _wall(ranked, done.table, top, self.html)
            done.facts["html"] = str(page)
            done.lines.append(f"look at it: {page}")
        return done

    def _tops(self) -> dict[How, Top | None]:
        return {"copy": self.copy_top, "link": self.link_top}

    def _chosen(self, ranked: Ranked) -> Done:
        from piaa.people.selection import per_burst, unrated

        table, facts, lines = ranked.table, {}, []
        if self.unrated:
            left = unrated(table, ranked.own)
            table, facts["left_out_rated"] = left.table, left.n_left_out
            lines.append(f"left out {counted(left.n_left_out, 'photo')} rated already")
        if self.per_burst is not None:
            left = per_burst(table, self.per_burst, ranked.found, ranked.model.prior)
            table, facts["left_out_of_bursts"] = left.table, left.n_left_out
            lines.append(f"left out {counted(left.n_left_out, 'photo')} of bursts that have better ones")
        return Done(table=table, facts=facts, lines=lines)


def ranked_with(
    table: ScoreTable, found: Mapping[str, Embedded], model: Model, person: Person | None, store: str | None
) -> Ranked:
    """The ranking, with what she gave the photos."""
    from piaa.people.known_scores import known_scores
    from piaa.people.tell import known_of
    from piaa.store.store import Store

    said = person and known_of(Store(store), person.user, model.generic.hash)
    scores = known_scores(said.ratings if said else (), list(found.values()))
    own = {name: score for name, score in zip(found, scores, strict=True) if score is not None}
    return Ranked(table=table, found=found, model=model, person=person, own=own)


def _wall(ranked: Ranked, table: ScoreTable, top: int | None, folder: Path) -> Path:
    from piaa.people.score_photos import CROWD_SCALE
    from piaa.wall.tile import Wall, tiles_of
    from piaa.wall.wall import write_wall

    tiles = tiles_of(table, ranked.found, ranked.own, top)
    scale = ranked.person.scale if ranked.person else CROWD_SCALE
    shown = f"The best {len(tiles):,} of " if len(tiles) < len(table) else ""
    wall = Wall(
        title=f"Ranked for {ranked.person.user}" if ranked.person else "The crowd’s ranking",
        about=f"{shown}{counted(len(table), 'photo')}, scores on {scale} by {ranked.model.generic.name}",
        tiles=tiles,
        user=ranked.person.user if ranked.person else None,
        scale=(scale.low, scale.high),
        skipped=table.skipped,
    )
    with stopping(AGAIN), progress_bar("making the wall", len(tiles)) as advance:
        return write_wall(wall, folder, advance)
