"""``piaa models import``: somebody else's embedding network as a stem."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from piaa.commands.options import AsJson, Overwrite
from piaa.commands.terminal import note, print_json, reporting


@reporting
def models_import(
    file: Annotated[Path, typer.Argument(help="An embedding network in ONNX, weights inside.")],
    spec: Annotated[Path, typer.Option(help="Its preprocessing and licence, in TOML: docs/models.md.")],
    out: Annotated[Path, typer.Option(help="The stem file to write; it ends in .onnx.")],
    name: Annotated[str | None, typer.Option(help="The stem's name; default: the name of --out.")] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Make a stem of somebody else's network (CLIP, DINO, your own), to build a model on."""
    from dataclasses import asdict

    from generic.stems.import_stem import import_stem

    note("looking at the graph and running it on a photo, in a process of its own")
    header = import_stem(file, spec, out, name=name, overwrite=overwrite)
    if as_json:
        print_json({**asdict(header), "file": str(out), "n_bytes": out.stat().st_size})
        return
    typer.echo(f"{out}: {header.name} {header.hash[:8]}, {header.training['summary']}")
    note(f"next: piaa models build --stem {out} --ratings FILE --images DIR --scale LOW HIGH --out FILE.onnx")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("import", epilog="Example: piaa models import clip.onnx --spec clip.toml --out tower.onnx")(
        models_import
    )
