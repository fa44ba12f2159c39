"""``piaa explain``: why a photo has its score."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from generic.photos.find import printable
from piaa.commands import options
from piaa.commands.terminal import print_json, reporting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from piaa.people.model import Model
    from piaa.people.reasons import Example, Parts

HEAT_MEANS = (
    "how much the heat map means: little, a rank correlation of 0.20 ± 0.03 with what the score loses where "
    "a part is blurred, measured on 48 photos with piaa-lite"
)
"""By ``benchmarks/explain_heat.py``, whose table is in docs/eat.md."""


@reporting
def explain(
    photo: Annotated[Path, typer.Argument(help="The photo.")],
    user: Annotated[
        str | None, typer.Option("--user", "-u", help="Whose score: by photos that she rated.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Draw where the model looked here, which needs the extra train: .png, .jpg, .jpeg or .webp."
        ),
    ] = None,
    model: options.ModelOption = "piaa-lite",
    store: options.StoreOption = None,
    max_pixels: options.MaxPixels = None,
    as_json: options.AsJson = False,
) -> None:
    """Say why a photo has its score: for a person, by photos that she rated; for a model, where it looked."""
    if user is None and out is None:
        raise typer.BadParameter("give --user NAME, or --out PICTURE, or both")
    facts: dict[str, Any] = {}
    if out is not None:
        from generic.explain.picture import check_output

        check_output(out, photo=photo)  # what can be refused at once is refused before the work
    if user is not None:
        chosen = options.open_model(model, None, False, max_pixels)
        facts["person"], lines = _told(chosen, photo, user, store)
        _say(lines, as_json)  # her reasons are told, even where the heat map cannot be drawn
    if out is not None:
        drawn, lines = _drawn(photo, out, model, max_pixels)
        facts |= drawn
        _say(lines, as_json)
    if as_json:
        print_json(facts)


def _say(lines: Sequence[str], as_json: bool) -> None:
    for line in () if as_json else lines:
        typer.echo(line)


def _drawn(photo: Path, out: Path, model: str, max_pixels: int | None) -> tuple[dict[str, Any], list[str]]:
    """Where the model looked, as a picture."""
    from generic.explain.picture import caption, draw
    from generic.model.registry import find_model

    file = find_model(model)

    from generic.explain.explanation import explain as look_at
    from generic.model.generic_model import GenericModel

    explanation = look_at(GenericModel(file), photo, max_pixels=max_pixels)
    draw(explanation, out)
    facts = {**explanation.facts(), "picture": str(out), "heat_means": HEAT_MEANS}
    return facts, [caption(explanation), f"drawn: {out}", HEAT_MEANS]


def _told(model: Model, photo: Path, user: str, store: str | None) -> tuple[dict[str, Any], list[str]]:
    """A person's score, the photos that she rated near it, and what parts it from their average."""
    from dataclasses import asdict

    from piaa.people.reasons import nearest, parts_of

    person = model.load(user, store=store)
    (row,) = person.score_table(photo).rows()
    row.pop("sure", None)  # of a place in a ranking, of which there is none
    facts: dict[str, Any] = {"user": user, "scale": person.scale.to_json(), **row}
    facts |= {"nearest": [], "parts": None}
    lines = [
        f"{user}: {row['score']:.2f} on {person.scale} (80 % interval {row['low']:.2f} … {row['high']:.2f}; "
        f"generic {row['generic']:.2f})"
    ]
    if not person.ratings or not person.adapter.keeps_support:
        return facts, [*lines, "what she was learned from is no list of ratings to explain it by"]
    rated = person.adapter.support[0].astype("float64")
    vector = model.vector_of(photo).astype("float64")
    near = nearest(vector, rated, person.ratings, model.prior)
    facts["nearest"] = [asdict(one) for one in near]
    lines.append("nearest of the photos that she rated (1 is the same photo):")
    lines += [f"  {one.likeness:.2f}  gave {one.score:g}  {printable(one.image)}" for one in near]
    if not person.adapter.has_linear_form:
        return facts, [*lines, f"adapter {person.adapter.name} is no sum whose parts could be told"]
    width = person.scale.high - person.scale.low
    parts = parts_of(person.adapter.linear_form(), vector, rated, person.ratings, model.prior, width)
    facts["parts"] = {**asdict(parts), "total": parts.total}
    return facts, [*lines, *_in_words(parts)]


def _in_words(parts: Parts) -> list[str]:
    """What raises the score and what lowers it, each the largest first; without what rounds to nothing."""
    shown = parts.directions
    said = [(parts.generic, "the generic score: what people on average like")]
    said += [(one.adds, f"like {_examples(one.towards)}; unlike {_examples(one.away)}") for one in shown]
    said += [(parts.others, "all other directions"), (parts.alike, "what she gave photos like it")]
    lines = [f"beside the average photo that she rated {_signed(parts.total).strip()}:"]
    for title, sign in (("what raises it:", 1), ("what lowers it:", -1)):
        some = sorted((one for one in said if round(sign * one[0], 2) > 0), key=lambda one: -abs(one[0]))
        lines += [title, *(f"  {_signed(adds)}  {why}" for adds, why in some)] if some else []
    return lines


def _examples(photos: Sequence[Example]) -> str:
    """Photos at one end of a direction, with what she gave them."""
    return ", ".join(f"{printable(one.image)} (gave {one.score:g})" for one in photos)


def _signed(value: float) -> str:
    """With its sign, but for what rounds to 0."""
    text = f"{value:+.2f}"
    return " 0.00" if text in ("+0.00", "-0.00") else text


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(epilog="Example: piaa explain photo.jpg --user ana")(explain)
