"""Does the model look where people look? The whole way on rendered scenes with GENERATED gaze, and a picture.

    uv run python benchmarks/gaze_demo.py

The album is that of ``piaa demo``, rendered by code; gaze is generated as in ``gaze_planted.py`` and knows
nothing of what a scene shows. So the figures say how the report works, and nothing of people or the model: a
model cannot agree with it but by chance and by the centre. Writes docs/gaze.jpg and the results' table.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
from gaze_planted import PIXELS_PER_DEGREE, export
from PIL import Image, ImageDraw, ImageFont
from record import piaa, table, write_result

from generic.atomic import atomic_path
from generic.model.generic_model import GenericModel
from generic.model.registry import find_model
from generic.photos.open import open_rgb
from piaa.demo.scenes import draw_scenes, render
from protocols.gaze.fixations import read_fixations
from protocols.gaze.maps import attended_patches, fixation_map, masked_photo
from protocols.gaze.media import image_sizes
from protocols.gaze.picture import draw_panels, panels_of

N, SHOWN = 24, 3
PICTURE = Path(__file__).parent.parent / "docs" / "gaze.jpg"
CAPTION = "Scenes rendered by code, gaze GENERATED at random around each centre: no photographs, no people."
METRICS = ("AUC-Judd", "NSS", "CC", "SIM")


def draw(folder: Path, gaze: Path) -> Image.Image:
    """A few scenes: the photo, its generated gaze, the model's maps; then the photo masked to the gaze."""
    fixations = read_fixations(gaze, image_sizes(folder))
    model = GenericModel(find_model("piaa-lite"))
    rows = []
    for name in sorted(fixations)[:SHOWN]:
        photo = open_rgb(folder / name)
        seen = fixation_map(fixations[name], pixels_per_degree=PIXELS_PER_DEGREE)
        maps = panels_of([model], folder / name, fixations[name], pixels_per_degree=PIXELS_PER_DEGREE)
        maps = {("generated gaze" if n == 0 else title): one for n, (title, one) in enumerate(maps.items())}
        row = draw_panels(photo, maps)
        kept = masked_photo(np.asarray(photo), attended_patches(seen, side=32, share=0.5))
        last = draw_panels(Image.fromarray(kept), {})
        page = Image.new("RGB", (row.width + last.width, row.height), (240, 240, 240))
        page.paste(row, (0, 0))
        page.paste(last, (row.width, 0))
        ImageDraw.Draw(page).rectangle((row.width, 0, page.width, 38), fill=(240, 240, 240))
        pen = ImageDraw.Draw(page)
        pen.text(
            (row.width + 16, 10), "masked to the gaze", font=ImageFont.load_default(18), fill=(38, 38, 38)
        )
        rows.append(page)
    whole = Image.new("RGB", (rows[0].width, sum(row.height for row in rows) + 44), (240, 240, 240))
    for number, row in enumerate(rows):
        whole.paste(row, (0, number * rows[0].height))
    ImageDraw.Draw(whole).text(
        (16, whole.height - 36), CAPTION, font=ImageFont.load_default(20), fill=(150, 30, 30)
    )
    return whole


def main() -> None:
    """Render, generate, compare through the command, draw, and write the results."""
    with tempfile.TemporaryDirectory() as place:
        folder, gaze = Path(place) / "album", Path(place) / "gaze.tsv"
        folder.mkdir()
        for number, scene in enumerate(draw_scenes(N, 0), 1):
            render(scene).save(folder / f"scene-{number:03d}.jpg", quality=92)
        gaze.write_text(export(image_sizes(folder)))
        words = ("gaze", "compare", folder, "--gaze", gaze, "--pixels-per-degree", str(PIXELS_PER_DEGREE))
        printed, _ = piaa(*words, "--json")
        picture = draw(folder, gaze)
    with atomic_path(PICTURE) as temporary:
        picture.save(temporary, format="JPEG", quality=85)
    found = json.loads(printed)
    rows = [(row["map"], *(f"{row[key]:.3f}" for key in METRICS)) for row in found]
    text = table(("", *METRICS), rows)
    print(text)
    write_result(
        "gaze_demo", "python benchmarks/gaze_demo.py", {"photos": N, "rows": found, "markdown": text}
    )


if __name__ == "__main__":
    main()
