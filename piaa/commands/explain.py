"""``piaa explain``: where a model looked in a photo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from piaa.commands.options import AsJson, MaxPixels, ModelOption
from piaa.commands.terminal import print_json, reporting


@reporting
def explain(
    photo: Annotated[Path, typer.Argument(help="The photo.")],
    out: Annotated[Path, typer.Option(help="Write the picture here: .png, .jpg, .jpeg or .webp.")],
    model: ModelOption = "piaa-lite",
    max_pixels: MaxPixels = None,
    as_json: AsJson = False,
) -> None:
    """Draw where a model's attention looked in a photo, and what raised its score."""
    from generic.explain.picture import caption, check_output, draw
    from generic.model.registry import find_model

    # What can be refused at once is refused before torch is imported.
    check_output(out, photo=photo)
    file = find_model(model)

    from generic.explain.explanation import explain as look_at
    from generic.model.generic_model import GenericModel

    explanation = look_at(GenericModel(file), photo, max_pixels=max_pixels)
    draw(explanation, out)
    if as_json:
        print_json({**explanation.facts(), "picture": str(out)})
        return
    typer.echo(caption(explanation))
    typer.echo(f"drawn: {out}")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(epilog="Example: piaa explain photo.jpg --out why.png")(explain)
