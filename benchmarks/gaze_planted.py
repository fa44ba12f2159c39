"""Saliency metrics on generated gaze: its own map against a centre prior and against chance.

    uv run python benchmarks/gaze_planted.py PHOTOS

PHOTOS is any folder of photos; only their sizes matter. Gaze is generated, not recorded: for each photo
three places around its centre, and 12 people with 5 fixations each near them. It is written as an
eye tracker's export and read back as a person's file would be.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from record import table, tell, write_result

from generic.seeds import stream
from protocols.gaze.fixations import Fixations, read_fixations
from protocols.gaze.maps import attended_patches, fixated_pixels, fixation_map
from protocols.gaze.media import image_sizes
from protocols.gaze.saliency import auc_judd, correlation, nss, similarity

PIXELS_PER_DEGREE = 35.0
SPREAD = 0.05
"""Standard deviation of gaze around a place, as a share of the photo's width."""
PEOPLE, FIXATIONS = 12, 5
SIDE, SHARE = 32, 0.5
MAPS = ("matching map", "centre prior", "chance")
METRICS = ("AUC-Judd", "NSS", "CC", "SIM")


def grid(size: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Columns x and rows y of every pixel's centre."""
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    return x, y


def places(name: str, size: tuple[int, int]) -> NDArray[np.float64]:
    """(x, y) of the three places of a photo that draw the eye."""
    drawn = stream(0, "places", name).normal(0.5, 0.2, (3, 2)).clip(0.05, 0.95)
    found: NDArray[np.float64] = drawn * size[::-1]
    return found


def export(sizes: dict[str, tuple[int, int]]) -> str:
    """Generated gaze, as an eye tracker writes it."""
    columns = ("RecordingName", "MediaName", "FixationPointX (MCSpx)", "FixationPointY (MCSpx)")
    lines = ["\t".join([*columns, "GazeEventDuration"])]
    for name, size in sizes.items():
        random, centres = stream(0, "gaze", name), places(name, size)
        for person in range(PEOPLE):
            near = centres[random.integers(3, size=FIXATIONS)]
            points = random.normal(near, SPREAD * size[1]).clip(0, np.array(size[::-1]) - 0.01)
            lines += [f"p{person}\t{name}\t{x:.2f}\t{y:.2f}\t{random.integers(80, 600)}" for x, y in points]
    return "\n".join(lines)


def maps(name: str, size: tuple[int, int]) -> tuple[NDArray[np.float64], ...]:
    """The map that made the gaze, a Gaussian of a quarter of the photo at its centre, and noise."""
    x, y = grid(size)
    bells = [
        np.exp(-((x - a) ** 2 + (y - b) ** 2) / (2 * (SPREAD * size[1]) ** 2)) for a, b in places(name, size)
    ]
    centre = np.exp(-(((x / size[1] - 0.5) ** 2 + (y / size[0] - 0.5) ** 2) / (2 * 0.25**2)))
    return np.sum(bells, axis=0), centre, stream(0, "chance", name).uniform(size=size)


def score(gaze: Fixations) -> tuple[list[list[float]], float]:
    """Metrics of each map, and the share of the photo that the attended patches cover."""
    looked = fixated_pixels(gaze)
    seen = fixation_map(gaze, pixels_per_degree=PIXELS_PER_DEGREE)
    scores = [
        [auc_judd(m, looked), nss(m, looked), correlation(m, seen), similarity(m, seen)]
        for m in maps(gaze.image, gaze.size)
    ]
    return scores, float(attended_patches(seen, side=SIDE, share=SHARE).mean())


def main() -> None:
    """Generate, read back, score and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path)
    sizes = image_sizes(parser.parse_args().photos)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gaze.tsv"
        path.write_text(export(sizes))
        gaze = read_fixations(path, sizes)
    tell(f"{len(gaze)} photos, {sum(map(len, gaze.values()))} fixations read")
    found = [score(fixations) for fixations in gaze.values()]
    scores = np.array([own for own, _ in found])  # (photos, maps, metrics)
    means, above = scores.mean(0), (scores[:, 0] > scores[:, 1:].max(1)).mean(0)
    rows = [(name, *(f"{value:.3f}" for value in row)) for name, row in zip(MAPS, means, strict=True)]
    rows.append(("photos with the matching map first", *(f"{100 * share:.1f} %" for share in above)))
    text = table(("", *METRICS), rows)
    print(text)
    figures: dict[str, Any] = {
        "photos": len(gaze),
        "fixations": sum(map(len, gaze.values())),
        "means": {
            name: dict(zip(METRICS, row, strict=True)) for name, row in zip(MAPS, means.tolist(), strict=True)
        },
        "matching_first": dict(zip(METRICS, above.tolist(), strict=True)),
        "attended_area": float(np.mean([area for _, area in found])),
        "markdown": text,
    }
    write_result("gaze_planted", "python benchmarks/gaze_planted.py PHOTOS", figures)


if __name__ == "__main__":
    main()
