"""Photos that the cache knows, whatever was written into their files since, cost no run of the network."""

from __future__ import annotations

import hashlib
import shutil
import struct
from pathlib import Path

import numpy as np

from generic.cache.features import FeatureCache
from generic.model.generic_model import Embedded, GenericModel
from generic.photos.identity import photo_identity


def set_stars(file: Path, stars: int) -> None:
    """As programs do it: XMP in a segment of the JPEG."""
    xmp = b'http://ns.adobe.com/xap/1.0/\0<rdf:Description xmp:Rating="%d"/>' % stars
    content = file.read_bytes()
    file.write_bytes(content[:2] + b"\xff\xe1" + struct.pack(">H", len(xmp) + 2) + xmp + content[2:])


def embed(model: GenericModel, paths: list[Path], folder: Path) -> list[Embedded]:
    with FeatureCache.open(folder) as cache:
        return list(model.embed(paths, cache=cache))


def test_stars_set_elsewhere_cost_no_run_of_the_network(tmp_path, album, names, tiny_model):
    paths = [Path(shutil.copy(album / name, tmp_path)) for name in names[:3]]
    first = embed(GenericModel(tiny_model), paths, tmp_path / "cache")
    for stars, path in enumerate(paths):
        set_stars(path, stars)
    model = GenericModel(tiny_model)
    second = embed(model, paths, tmp_path / "cache")
    assert "engine" not in vars(model)  # which is loaded by the first photo that needs it
    for before, after in zip(first, second, strict=True):
        assert before.digest != after.digest == hashlib.sha256(after.path.read_bytes()).hexdigest()
        assert before.identity == after.identity == photo_identity(after.path.read_bytes())
        np.testing.assert_array_equal(before.vector, after.vector)


def test_two_files_of_one_picture_are_computed_once(tmp_path, album, names, tiny_model):
    one, other = (Path(shutil.copy(album / names[0], tmp_path / name)) for name in ("a.jpg", "b.jpg"))
    set_stars(other, 5)
    done: list[int] = []
    with FeatureCache.open(None) as cache:
        found = list(GenericModel(tiny_model).embed([one, other], cache=cache, progress=done.append))
    assert done == [1, 1]  # the second as the twin of the first, before anything was computed
    np.testing.assert_array_equal(found[0].vector, found[1].vector)
    assert found[0].digest != found[1].digest


def test_a_file_that_cannot_be_read_has_neither_digest(tmp_path, tiny_model):
    (found,) = embed(GenericModel(tiny_model), [tmp_path / "missing.jpg"], tmp_path / "cache")
    assert (found.digest, found.identity, found.vector) == ("", "", None)
    assert str(found.error) == (
        f"cannot read image '{tmp_path / 'missing.jpg'}': there is no such file; check its name and folder"
    )
