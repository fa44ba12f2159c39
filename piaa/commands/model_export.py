"""``piaa models export``: a model as an ONNX file, which needs no torch to be run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from piaa.commands.options import AsJson, Overwrite
from piaa.commands.terminal import note, print_json, report_skipped, reporting

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from generic.model.checkpoint import Header
    from generic.model.export import Checked
    from generic.photos.open import Fit

N_PHOTOS = 100
"""On so many photos, spread evenly over the folder, is a graph checked."""


@reporting
def models_export(
    model: Annotated[
        str,
        typer.Argument(
            help="An embedded model's name, a model file, or a network of timm: NAME, or NAME=FILE with "
            "weights in a file."
        ),
    ],
    out: Annotated[Path, typer.Option(help="The file to write; it ends in .onnx.")],
    photos: Annotated[
        Path | None,
        typer.Option(help="A folder of photos to check on; default: scenes rendered by code."),
    ] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Write a model as ONNX, checked against torch; a network of timm becomes a stem for `models build`."""
    from dataclasses import asdict

    from generic.model.new_file import check_new

    check_new(out, suffix=".onnx", overwrite=overwrite, source=Path(model), what="model")
    header, checked = _export(model, out, photos)
    if as_json:
        print_json({**asdict(header), "file": str(out), "n_bytes": out.stat().st_size})
        return
    typer.echo(
        f"{out}: {header.name} {header.hash[:8]}, {out.stat().st_size / 1e6:.1f} MB; on {checked.n} "
        f"{'rendered scenes' if photos is None else 'photos'} at most {checked.largest:.1e} from torch, "
        f"{checked.beyond:.1%} of them beyond 1e-4"
    )


def _export(model: str, out: Path, photos: Path | None) -> tuple[Header, Checked]:
    from generic.errors import CheckpointError
    from generic.extras import require
    from generic.model.registry import find_model

    require("exporting a model", "torch", "timm", "onnx", "onnxscript")
    note("making the graph and checking it: about half a minute")
    try:
        path = find_model(model)
    except CheckpointError:
        from generic.stems.timm_stem import is_timm, load_timm_stem

        if not is_timm(model):
            raise
        from generic.stems.export_stem import export_stem

        stem = load_timm_stem(model)
        return export_stem(stem, out.stem, out, _check_photos(photos, stem.size, "squash"))
    from generic.model.export import export_onnx
    from generic.model.generic_model import GenericModel

    opened = GenericModel(path)
    return export_onnx(path, out, _check_photos(photos, opened.size, opened.fit))


def _check_photos(folder: Path | None, size: int, fit: Fit) -> list[NDArray[np.uint8]]:
    """Pixels of shape (size, size, 3) of up to ``N_PHOTOS`` photos of a folder, or of rendered scenes."""
    import numpy as np

    from generic.errors import ImageError
    from generic.photos.find import find_images
    from generic.photos.open import load_pixels

    if folder is None:
        from piaa.demo.scenes import draw_scenes, render

        return [np.array(render(scene, (size, size))) for scene in draw_scenes(N_PHOTOS, 0)]
    found = find_images(folder)
    chosen = [found[i] for i in np.unique(np.linspace(0, len(found) - 1, N_PHOTOS).astype(int))]
    pixels, skipped = [], {}
    for path in chosen:
        try:
            pixels.append(load_pixels(path, size, fit=fit))
        except ImageError as error:
            skipped[str(path)] = str(error)
    report_skipped(skipped, len(chosen), "photo")
    if not pixels:
        raise ImageError(f"none of the {len(chosen)} photos in {folder} can be read; name another folder")
    return pixels


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("export", epilog="Example: piaa models export runs/mine/model.safetensors --out mine.onnx")(
        models_export
    )
