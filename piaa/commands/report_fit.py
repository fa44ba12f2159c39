"""What a command says of a person who was learned just now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import typer

from piaa.commands.terminal import counted, note, print_json, report_skipped

if TYPE_CHECKING:
    from piaa.people.person import Person


def report_fit(
    person: Person, store: str, skipped: Mapping[str, str] | None = None, *, as_json: bool
) -> None:
    """Say what was learned and where it lies."""
    from piaa.people.estimate import describe_estimate
    from piaa.people.unlike import describe_unlike

    estimate, generic = person.estimate, person.model.generic
    skipped = {**(skipped or {}), **person.skipped}
    if as_json:
        print_json(
            {
                "user": person.user,
                "version": person.version,
                "adapter": person.adapter.name,
                "model": generic.name,
                "model_hash": generic.hash,
                "scale": person.scale.to_json(),
                "n_ratings": len(person.ratings),
                **({"n_pairs": len(person.comparisons)} if person.comparisons else {}),
                **({"n_pairs_unused": person.n_unused} if person.n_unused else {}),
                "estimate": estimate.__dict__ if estimate else None,
                "store": store,
                "skipped": dict(skipped),
            }
        )
        return
    given, what = _given(person)
    report_skipped(skipped, len(what) + len(skipped), "photos")
    typer.echo(
        f"{person.user}: learned from {given} ({person.adapter.name} on {generic.name} {generic.hash[:8]})"
    )
    if person.n_unused:
        note(
            f"{counted(person.n_unused, 'comparison')} of {person.user} kept, but not used: who gave ratings "
            "is learned from those"
        )
    scores = [rating.score for rating in person.ratings]
    told = describe_estimate(estimate, scores, person.adapter.name, compared=bool(person.comparisons))
    typer.echo(f"expected ranking: {told}")
    if unlike := describe_unlike(person.adapter, person.model.prior):
        note(unlike)
    typer.echo(f"stored: {store}, version {person.version}")


def _given(person: Person) -> tuple[str, set[str]]:
    """What she was learned from, in words, and its photos."""
    if person.comparisons:
        photos = {name for one in person.comparisons for name in one.pair}
        return counted(len(person.comparisons), "comparison"), photos
    return counted(len(person.ratings), "rating"), {one.image for one in person.ratings}
