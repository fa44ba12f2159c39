"""What a command says of a person who was learned just now."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import typer

from generic.words import counted
from piaa.commands.layout import sentence
from piaa.commands.terminal import note, print_json, report_skipped

if TYPE_CHECKING:
    from piaa.people.expected import Measured
    from piaa.people.person import Person
    from piaa.people.rated import RatedPhotos


def report_fit(person: Person, store: str, read: RatedPhotos | None = None, *, as_json: bool) -> None:
    """Say what was learned, what it is worth, where it lies, and what to know of the table that was read."""
    from dataclasses import asdict

    from piaa.people.unlike import describe_unlike

    estimate, generic, measured = person.estimate, person.model.generic, _measured(person)
    skipped = {**(read.skipped if read else {}), **person.skipped}
    notes = [*(read.notes if read else ()), *person.notes]
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
                "estimate": asdict(estimate) if estimate else None,
                "measured": asdict(measured) if measured else None,
                "store": store,
                "skipped": dict(skipped),
                **({"notes": notes} if notes else {}),
            }
        )
        return
    for line in notes:
        note(line)
    given, what = _given(person)
    report_skipped(skipped, len(what) + len(skipped), "photo")
    typer.echo(
        f"{person.user}: learned from {given} ({person.adapter.name} on {generic.name} {generic.hash[:8]})"
    )
    if person.n_unused:
        kept = f"{counted(person.n_unused, 'comparison')} of {person.user} kept, but not used"
        note(f"{kept}: adapter {person.adapter.name} {_takes(person)}")
    for line in _expected(person, measured):
        sentence(line)
    if unlike := describe_unlike(person.adapter, person.model.prior):
        note(unlike)
    typer.echo(f"stored: {store}, version {person.version}")


def _measured(person: Person) -> Measured | None:
    """What came of as many ratings of others; None where her ratings are none to learn an order from."""
    from piaa.people.expected import measured_with

    if len({rating.score for rating in person.ratings}) < 2 and len(person.ratings) != 1:
        return None
    return measured_with(len(person.ratings), person.adapter.name, person.model.generic.hash)


def _expected(person: Person, measured: Measured | None) -> list[str]:
    """How well she will be ranked, as figures and in words."""
    from piaa.people.estimate import describe_estimate
    from piaa.people.expected import in_words

    scores = [rating.score for rating in person.ratings]
    compared = bool(person.comparisons) and not scores
    figures = describe_estimate(person.estimate, scores, person.adapter.name, compared=compared)
    return [f"expected ranking: {figures}", *in_words(person.estimate, measured)]


def report_replaced(user: str, what: str, left: int) -> None:
    """Say that a replacement of one kind of what she said left the other, and the cure.

    Args:
        user: her name.
        what: what was replaced, "rating" or "comparison".
        left: how many of the other kind count still.
    """
    if not left:
        return
    other, option = ("comparison", "--pairs") if what == "rating" else ("rating", "--ratings")
    note(
        f"--replace is of {what}s alone: {counted(left, other)} of {user} still "
        f"{'counts' if left == 1 else 'count'}; replace {'it' if left == 1 else 'them'} with {option} FILE "
        "--replace, or delete all that she said of a photo: piaa users forget-rating "
        f"{shlex.quote(user)} PHOTO"
    )


def _takes(person: Person) -> str:
    """What an adapter takes that did not learn from comparisons."""
    if person.adapter.takes_comparisons:
        return f"takes at most {person.adapter.most_both:,} ratings and comparisons together"
    return "learns from ratings alone"


def _given(person: Person) -> tuple[str, set[str]]:
    """What she was learned from, in words, and its photos."""
    photos = {one.image for one in person.ratings}
    photos |= {name for one in person.comparisons for name in one.pair}
    counts = ((len(person.ratings), "rating"), (len(person.comparisons), "comparison"))
    return " and ".join(counted(n, word) for n, word in counts if n), photos
