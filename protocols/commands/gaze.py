"""``piaa gaze``: where people looked in photos, against where a model did."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from piaa.commands.options import AsJson
from piaa.commands.progress import AGAIN, progress_bar, stopping
from piaa.commands.terminal import print_json, reporting

if TYPE_CHECKING:
    from protocols.gaze.fixations import Fixations

gaze_app = typer.Typer(help="Where people look, from an eye tracker's export.", no_args_is_help=True)

Photos = Annotated[Path, typer.Argument(metavar="PHOTOS", help="The folder of the photos that were shown.")]
Export = Annotated[
    Path,
    typer.Option(
        "--gaze", help="Fixations, tab-separated: recording, media, x, y, duration; or Tobii's names."
    ),
]
PixelsPerDegree = Annotated[
    float,
    typer.Option("--pixels-per-degree", help="Media pixels in one degree of visual angle, of your screen."),
]


@gaze_app.command(
    "compare",
    epilog="Example: piaa gaze compare photos/ --gaze fixations.tsv --pixels-per-degree 35 --model piaa-lite",
)
@reporting
def gaze_compare(
    photos: Photos,
    gaze: Export,
    pixels_per_degree: PixelsPerDegree,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="A model's name or file; may be repeated. Default: piaa-lite."),
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option("--pictures", help="A folder to write one picture a photo into (PNG).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare what models attend to with where people looked, beside the centre prior and other people."""
    from generic.model.registry import find_model

    files = [find_model(name) for name in model or ["piaa-lite"]]
    fixations = _read(gaze, photos)

    from generic.model.generic_model import GenericModel
    from protocols.gaze.compare import METRICS, compare

    models = [GenericModel(file) for file in files]
    with stopping(AGAIN), progress_bar("comparing", len(fixations)) as bar:
        found = compare(models, fixations, photos, pixels_per_degree=pixels_per_degree, progress=bar)
    if pictures is not None:
        from protocols.gaze.picture import draw_all

        with stopping(AGAIN), progress_bar("drawing", len(fixations)) as bar:
            draw_all(models, fixations, photos, pictures, pixels_per_degree=pixels_per_degree, progress=bar)
    if as_json:
        print_json([one.facts() for one in found])
        return
    width = max(len(one.name) for one in found)
    n = sum(map(len, fixations.values()))
    typer.echo(f"{len(fixations):,} photos, {n:,} fixations")
    typer.echo("  ".join([" " * width, *(f"{key:>8}" for key in METRICS)]))
    for one in found:
        cells = [f"{one.means[key]:8.3f}" for key in METRICS]
        odd = "".join(f"; {key} undefined on {count}" for key, count in one.undefined.items())
        typer.echo("  ".join([one.name.ljust(width), *cells]) + odd)


@gaze_app.command(
    "mask",
    epilog="Example: piaa gaze mask photos/ --gaze fixations.tsv --pixels-per-degree 35 --out masked/",
)
@reporting
def gaze_mask(
    photos: Photos,
    gaze: Export,
    pixels_per_degree: PixelsPerDegree,
    out: Annotated[Path, typer.Option("--out", help="The folder to write; photos keep their names.")],
    side: Annotated[int, typer.Option(help="Side of a patch in pixels.")] = 32,
    share: Annotated[float, typer.Option(help="Of the looking that the kept patches hold, up to 1.")] = 0.5,
    fill: Annotated[int, typer.Option(help="Grey level of the rest: 0 black, 255 white.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Write the photos masked to the patches that people looked at, to train or to test on."""
    fixations = _read(gaze, photos)

    from protocols.gaze.mask_folder import mask_folder

    with stopping(AGAIN), progress_bar("masking", len(fixations)) as bar:
        left = mask_folder(
            fixations,
            photos,
            out,
            pixels_per_degree=pixels_per_degree,
            side=side,
            share=share,
            fill=fill,
            progress=bar,
        )
    if as_json:
        print_json({"photos": len(fixations), "area_left": left, "folder": str(out)})
        return
    typer.echo(f"{out}: {len(fixations):,} photos, {100 * left:.1f} % of their area left")


def _read(gaze: Path, photos: Path) -> dict[str, Fixations]:
    from protocols.gaze.fixations import read_fixations
    from protocols.gaze.media import image_sizes

    return read_fixations(gaze, image_sizes(photos))


def add_to(app: typer.Typer) -> None:
    """Put the commands into the command line."""
    app.add_typer(gaze_app, name="gaze")
