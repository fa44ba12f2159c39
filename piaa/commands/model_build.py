"""``piaa models build``: a generic model of one's own, on any stems and any table of ratings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from generic.words import counted
from piaa.commands.options import AsJson, Overwrite
from piaa.commands.progress import AGAIN, progress_bar, stopping
from piaa.commands.terminal import note, print_json, report_skipped, reporting

CROWD = "mean of raters"
"""Whose a table's ratings are that names nobody."""


@reporting
def models_build(
    stem: Annotated[
        list[str],
        typer.Option(
            help="A file of `models import` or `models export`, or a network of timm: NAME, or NAME=FILE "
            "with weights in a file. Several: give it several times."
        ),
    ],
    ratings: Annotated[
        Path, typer.Option(help="Table user,image,score of many people; or image,score: mean scores.")
    ],
    images: Annotated[Path, typer.Option(help="The folder that the image names are relative to.")],
    scale: Annotated[tuple[float, float], typer.Option(help="Lowest and highest possible score.")],
    out: Annotated[Path, typer.Option(help="The model file to write; it ends in .onnx.")],
    name: Annotated[str | None, typer.Option(help="The model's name; default: the name of --out.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Photos at once; default: one a core.")] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Build a model on frozen networks, in closed form, with the prior of the people who rated."""
    from dataclasses import asdict

    from generic.model.new_file import check_new
    from piaa.people.build_model import build_model
    from piaa.people.rated import same_files
    from piaa.ratings.scale import Scale
    from piaa.ratings.table import read_ratings

    check_new(out, suffix=".onnx", overwrite=overwrite, source=ratings, what="ratings")
    table = read_ratings(ratings, scale=Scale(*scale), user=CROWD, same=same_files(images))
    for line in table.notes:
        note(line)
    note("running the stems over the photos, then cross-validation: minutes for hundreds of photos")
    n = len(set(table.images))
    with stopping(AGAIN), progress_bar("seeing photos", n) as advance:
        built = build_model(stem, table, images, out, name=name, jobs=jobs, progress=advance)
    if as_json:
        facts = {"skipped": built.skipped, "left_out": built.left_out, "no_prior": built.no_prior}
        print_json({**asdict(built.header), "file": str(out), "n_bytes": out.stat().st_size, **facts})
        return
    report_skipped(built.skipped, n, "photo")
    if built.left_out:
        note(f"left out {counted(built.left_out, 'photo')}, by chance: more do not fit; see piaa pretrain")
    if built.no_prior:
        note(f"no prior, so adapters that need one are refused: {built.no_prior}")
    typer.echo(
        f"{out}: {built.header.name} {built.header.hash[:8]}, {built.header.training['summary']}; SRCC with "
        f"mean scores in cross-validation {built.header.figures['srcc_out_of_fold']:.3f}"
    )


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "build",
        epilog="Example: piaa models build --stem tf_efficientnet_lite1 --stem tower.onnx --ratings r.csv "
        "--images photos/ --scale 1 5 --out mine.onnx",
    )(models_build)
