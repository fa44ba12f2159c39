"""A folder of photos masked to where people looked, for training and tests beside the originals."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from generic.errors import OutputError
from generic.explain.picture import FORMATS
from generic.photos.find import printable
from generic.photos.open import open_rgb
from generic.progress import Progress, no_progress
from protocols.gaze.fixations import Fixations
from protocols.gaze.maps import attended_patches, fixation_map, masked_photo


def mask_folder(
    gaze: Mapping[str, Fixations],
    photos: Path,
    out: Path,
    *,
    pixels_per_degree: float,
    side: int,
    share: float,
    fill: int,
    progress: Progress = no_progress,
) -> float:
    """Write each photo, under its own name, with all but its attended patches filled.

    JPEG is written at quality 95 without colour subsampling, so that patches keep their edges.

    Args:
        gaze: image -> its fixations.
        photos: the folder of the images.
        out: a folder that does not exist yet, or is empty.
        pixels_per_degree: media pixels in one degree of visual angle.
        side: of a patch, pixels.
        share: of the looking that the patches hold, in (0, 1].
        fill: grey level of the rest, 0 to 255.
        progress: called with the number of photos newly done.

    Returns:
        the mean share of a photo's area that is left.

    Raises:
        OutputError: the folder holds something, a photo's format cannot be written, or the disk is full.
        ImageError: a photo cannot be read.
        ShapeError: side, share or fill is impossible.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OutputError(
            f"cannot write into {printable(str(out))}: it exists and is not empty; name another"
        )
    unknown = sorted(name for name in gaze if Path(name).suffix.lower() not in FORMATS)
    if unknown:
        raise OutputError(
            f"cannot write {len(unknown)} masked photos, such as {unknown[0]!r}: their formats are none of "
            f"{', '.join(FORMATS)}; convert them first"
        )
    left = []
    try:
        out.absolute().parent.mkdir(parents=True, exist_ok=True)
        # Written beside it and renamed: there is never half a folder.
        with tempfile.TemporaryDirectory(prefix=".piaa-mask-", dir=out.absolute().parent) as beside:
            folder = Path(beside) / "photos"
            folder.mkdir()
            for image, fixations in gaze.items():
                seen = fixation_map(fixations, pixels_per_degree=pixels_per_degree)
                attended = attended_patches(seen, side=side, share=share)
                pixels = masked_photo(np.asarray(open_rgb(photos / image)), attended, fill=fill)
                form = FORMATS[Path(image).suffix.lower()]
                Image.fromarray(pixels).save(folder / image, format=form, quality=95, subsampling=0)
                left.append(float(attended.mean()))
                progress(1)
            folder.replace(out)
    except OSError as error:
        raise OutputError(
            f"cannot write into {printable(str(out))}: {error.strerror}; name a folder elsewhere"
        ) from error
    return float(np.mean(left))
