"""The painted album: deterministic, varied, and true to what its scenes state."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from generic.errors import OutputError, ShapeError
from piaa.demo.scenes import KINDS, QUALITIES, Scene, draw_scenes, render, render_album

SMALL = (160, 120)
PLAIN = Scene(kind="sea", light=0.5, warmth=0.5, colour=0.5, haze=0.2, detail=5)


def pixels(scene: Scene) -> np.ndarray:
    return np.asarray(render(scene, SMALL), dtype=np.float64)


def brightness(image):
    return image.mean()


def red_over_blue(image):
    return (image[..., 0] / (image.sum(axis=-1) + 1.0) - image[..., 2] / (image.sum(axis=-1) + 1.0)).mean()


def colourfulness(image):
    return (image.max(-1) - image.min(-1)).mean()


def softness(image):
    return -np.abs(np.diff(image.mean(axis=-1), axis=1)).mean()


def test_the_same_scene_gives_the_same_pixels():
    scene = draw_scenes(3, 7)[2]
    digests = {hashlib.sha256(render(scene).tobytes()).hexdigest() for _ in range(2)}
    assert len(digests) == 1


def test_another_seed_gives_other_pixels():
    assert (pixels(PLAIN) != pixels(replace(PLAIN, detail=6))).mean() > 0.3


def test_a_scene_does_not_depend_on_how_many_are_drawn():
    assert draw_scenes(5, 1) == draw_scenes(40, 1)[:5]
    assert draw_scenes(5, 1) != draw_scenes(5, 2)
    assert draw_scenes(0, 1) == []


def test_six_scenes_in_a_row_show_every_kind():
    kinds = [scene.kind for scene in draw_scenes(18, 3)]
    assert [sorted(kinds[i : i + 6]) for i in (0, 6, 12)] == [sorted(KINDS)] * 3


def test_drawn_qualities_cover_their_range():
    scenes = draw_scenes(200, 0)
    for name in QUALITIES:
        values = [getattr(scene, name) for scene in scenes]
        assert 0.0 <= min(values) < 0.1, name
        assert 0.85 < max(values) <= 1.0, name


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_paints_every_extreme_at_the_size_asked(kind):
    for end, size in ((0.0, (121, 83)), (1.0, (160, 120)), (1.0, (64, 180))):
        image = render(replace(PLAIN, kind=kind, **dict.fromkeys(QUALITIES, end)), size)
        assert (image.mode, image.size) == ("RGB", size)
        assert np.asarray(image).std() > 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("name", "measure"),
    [("light", brightness), ("warmth", red_over_blue), ("colour", colourfulness), ("haze", softness)],
)
def test_more_of_a_quality_measures_as_more(kind, name, measure):
    base = replace(PLAIN, kind=kind)
    low, middle, high = (measure(pixels(replace(base, **{name: value}))) for value in (0.1, 0.5, 0.9))
    assert low < middle < high


def test_too_small_a_photo_is_refused():
    with pytest.raises(ShapeError) as caught:
        render(PLAIN, (480, 9))
    assert str(caught.value) == "a scene of 480 x 9 pixels cannot be painted, expected at least 16 x 16"


def test_an_album_is_its_photos(tmp_path):
    folder = tmp_path / "new" / "album"
    album = render_album(folder, 3, 4)
    assert [name for name, _ in album] == ["scene-001.jpg", "scene-002.jpg", "scene-003.jpg"]
    assert [scene for _, scene in album] == draw_scenes(3, 4)
    with Image.open(folder / "scene-002.jpg") as photo:
        assert (photo.format, photo.size) == ("JPEG", (360, 270))
        difference = np.asarray(photo, dtype=np.float64) - np.asarray(render(album[1][1]), dtype=np.float64)
    assert np.abs(difference).mean() < 8


def test_an_album_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError) as caught:
        render_album(tmp_path / "file", 1, 0)
    assert str(caught.value) == (
        f"the painted album cannot be written to {tmp_path / 'file'}: File exists, "
        "expected a folder that can be written; give another folder"
    )
