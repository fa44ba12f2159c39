"""From a score table to a plan: what is known of the scored photos is looked up, and nothing is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from generic.cache.features import FeatureCache
from piaa.people.person import Person
from piaa.people.score_table import ScoreTable
from piaa.stars.gather import gather
from piaa.stars.plan import Plan, Wishes, make_plan
from piaa.store.store import Store


def plan_scores(
    person: Person, table: ScoreTable, photos: Path, store: Store, wishes: Wishes, *, top: int | None = None
) -> Plan:
    """What would be written of a person's scores.

    Args:
        person: whose scores they are.
        table: the scores, under names below the folder.
        photos: the folder that was scored, or one photo.
        store: which stars are ours, and what she rated.
        wishes: what is to be written besides the scores.
        top: only the best of them.

    Raises:
        ImageError: a folder cannot be read.
    """
    gathered = gather(photos)
    with FeatureCache.open(person.model.settings.cache) as cache:
        files = [path for one in gathered.photos for path in one.shot.files]
        contents, _ = cache.digest_many(files)
    written = store.written([content.identity for content in contents.values()])
    known = []
    for one in gathered.photos:
        pictures = [contents[path].identity for path in one.shot.files if path in contents]
        known.append(one.known(frozenset().union(*(written.get(it, ()) for it in pictures))))
    generic = person.model.generic
    said = store.said(person.user, generic.hash)
    plan = make_plan(
        replace(gathered, photos=tuple(known)),
        {row["image"]: row for row in table.rows(top)},
        {
            "User": person.user,
            "Scale": f"{person.scale.low:g} {person.scale.high:g}",
            "Model": f"{generic.name} {generic.hash[:8]}",
        },
        person.scale,
        wishes,
        contents,
        frozenset(one.photo for one in said.ratings),
    )
    return replace(plan, skipped={**gathered.skipped, **plan.skipped})
