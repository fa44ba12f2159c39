"""The picture of an explanation: circles and heat where they belong, the same bytes every time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFont

from generic.errors import OutputError
from generic.explain.explanation import Explanation, LayerAttention
from generic.explain.picture import (
    FORMATS,
    HEAT_NOTE,
    caption,
    check_output,
    draw,
    draw_page,
    photo_boxes,
    points_note,
    radii,
    shown_layer,
)

PAGE = (240, 240, 240)


def layer_of(positions, weights, *, size=(9, 9), name="attention") -> LayerAttention:
    """A layer whose groups have these positions, shape (g, n, 2), and weights, shape (g, n)."""
    positions = np.asarray(positions, np.float32)
    return LayerAttention(
        name=name,
        size=size,
        grid=(1, positions.shape[1]),
        points=positions,
        offsets=np.zeros_like(positions),
        positions=positions,
        point_weights=np.asarray(weights, np.float32),
    )


def explanation_of(*layers, photo=None, cam=None, **changes) -> Explanation:
    rng = np.random.default_rng(0)
    facts = {
        "path": Path("a.jpg"),
        "photo": rng.integers(0, 256, (60, 90, 3), np.uint8) if photo is None else photo,
        "model": "piaa-tiny",
        "scale": (1.0, 7.0),
        "score": 4.25,
        "score_without": 4.1 if layers else None,
        "layers": layers,
        "cam": rng.random((32, 32), np.float32) if cam is None else cam,
    }
    return Explanation(**{**facts, **changes})


def black(height, width):
    return np.zeros((height, width, 3), np.uint8)


def halves(explanation) -> list[np.ndarray]:
    page = draw_page(explanation)
    return [np.asarray(page.crop(box)).astype(int) for box in photo_boxes(explanation)]


# ---- circles ----


@pytest.mark.parametrize(("height", "width"), [(600, 900), (900, 450)])
def test_a_circle_is_centred_where_its_point_lies(height, width):
    layer = layer_of([[[-0.5, 0.5]]], [[1.0]], size=(9, 5))
    left, _ = halves(explanation_of(layer, photo=black(height, width)))
    rows, columns = np.nonzero(left.sum(2))
    # The middle of a 5 x 9 map's cells 1 (counted from 0) across and 6 down.
    assert (columns.min() + columns.max() + 1) / 2 == pytest.approx(1.5 / 5 * width, abs=1)
    assert (rows.min() + rows.max() + 1) / 2 == pytest.approx(6.5 / 9 * height, abs=1)


def test_the_area_of_a_circle_is_proportional_to_its_attention():
    layer = layer_of([[[-0.6, 0.0], [0.6, 0.0]]], [[0.2, 0.8]])
    left, _ = halves(explanation_of(layer, photo=black(600, 900)))
    covered = left.sum(2) > 0
    small, large = covered[:, :450].sum(), covered[:, 450:].sum()
    assert large / small == pytest.approx(4, rel=0.05)
    assert (small + large) / covered.size == pytest.approx(0.09, rel=0.02)


def test_all_circles_together_cover_the_same_for_any_number_of_points_and_groups():
    rng = np.random.default_rng(0)
    weights = rng.random((4, 49))
    weights /= weights.sum(1, keepdims=True)
    r = radii(layer_of(rng.uniform(-1, 1, (4, 49, 2)), weights), (900, 600))
    assert r.shape == (4, 49)
    assert (np.pi * r**2).sum() == pytest.approx(0.09 * 900 * 600)
    np.testing.assert_allclose(r**2 / r[0, 0] ** 2, weights / weights[0, 0], rtol=1e-5)


def test_every_group_is_drawn():
    layer = layer_of([[[-0.6, 0.0]], [[0.6, 0.0]]], [[1.0], [1.0]])
    left, _ = halves(explanation_of(layer, photo=black(600, 900)))
    assert left[300, 180].sum() > 0
    assert left[300, 720].sum() > 0


def test_a_small_circle_is_not_hidden_by_a_large_one():
    layer = layer_of([[[0.0, 0.0], [0.0, 0.0]]], [[0.05, 0.95]])
    explanation = explanation_of(layer, photo=black(600, 900))
    left, _ = halves(explanation)
    small, large = radii(layer, (900, 600))[0]
    # From the centre to the right: disc, the small circle's rim, disc, the large one's rim, photo.
    ring = left[300, 450 : 450 + int(large) + 4].sum(1) > 600
    bright = np.nonzero(ring)[0]
    assert abs(bright - small).min() < 2
    assert abs(bright - large).min() < 2


def test_points_outside_of_the_photo_are_counted_and_do_not_leave_it():
    layer = layer_of([[[0.0, 0.0], [3.0, 0.0], [0.0, -1.5]]], [[0.4, 0.3, 0.3]])
    explanation = explanation_of(layer)
    assert points_note(explanation) == (
        "Layer 1 of 1: 3 points, 2 outside. Circle area: its attention, 30.0 to 40.0 %."
    )
    page = np.asarray(draw_page(explanation))
    (_, top, right, bottom), (middle, _, _, _) = photo_boxes(explanation)
    assert (page[top:bottom, right:middle] == PAGE).all()


def test_the_last_layer_that_has_a_choice_is_shown():
    early = layer_of([[[0, 0], [0.1, 0.1]]], [[0.5, 0.5]], name="early")
    late = layer_of([[[0, 0], [0.1, 0.1]], [[0, 0], [0, 0]]], [[0.25, 0.75], [0.5, 0.5]], name="late")
    single = layer_of([[[0, 0]]], [[1.0]], name="single")
    chosen = explanation_of(early, late, single)
    assert shown_layer(chosen) is late
    assert points_note(chosen) == ("Layer 2 of 3: 2 x 2 points. Circle area: its attention, 25.0 to 75.0 %.")
    assert shown_layer(explanation_of(single)) is single
    assert shown_layer(explanation_of()) is None


def test_the_longest_note_of_the_largest_network_fits_above_its_photo():
    spread = np.random.default_rng(0).uniform(-2, 2, (8, 1089, 2))
    weights = np.full((8, 1089), 1 / 1089)
    weights[0] = np.eye(1089)[0]
    layers = [layer_of(spread, weights) for _ in range(20)]
    notes = (points_note(explanation_of(*layers)), HEAT_NOTE)
    assert [ImageFont.load_default(22).getlength(note) <= 900 for note in notes] == [True, True]


def test_without_deformable_layers_the_left_half_is_the_photo_alone():
    photo = np.random.default_rng(1).integers(0, 256, (600, 900, 3), np.uint8)
    explanation = explanation_of(photo=photo)
    np.testing.assert_array_equal(halves(explanation)[0], photo)
    assert points_note(explanation) == "no deformable layers"


# ---- heat ----


def test_heat_colours_what_raised_the_score_and_leaves_the_rest_grey():
    cam = np.zeros((40, 40), np.float32)
    cam[:, 20:] = 1
    photo = np.random.default_rng(1).integers(0, 256, (600, 900, 3), np.uint8)
    _, right = halves(explanation_of(photo=photo, cam=cam))
    grey = np.asarray(Image.fromarray(photo).convert("L")).astype(int)
    cold, hot = right[:, :400], right[:, 500:]
    np.testing.assert_array_equal(cold, np.repeat(grey[:, :400, None], 3, 2))
    assert (hot[..., 0] - hot[..., 2]).min() > 50  # yellow


def test_more_heat_is_brighter_on_a_black_photo():
    cam = np.repeat(np.linspace(0, 1, 50, dtype=np.float32)[None], 50, 0)
    _, right = halves(explanation_of(photo=black(900, 900), cam=cam))
    lightness = right[450] @ [0.299, 0.587, 0.114]
    assert (np.diff(lightness) >= -1.01).all()  # rounding to whole numbers
    assert lightness[0] < 1
    assert lightness[-1] > 180


# ---- the page ----


@pytest.mark.parametrize(("height", "width"), [(60, 90), (90, 60), (30, 300), (900, 3)])
def test_the_photo_keeps_its_shape_and_both_halves_lie_side_by_side(height, width):
    explanation = explanation_of(photo=black(height, width))
    left, right = photo_boxes(explanation)
    sizes = {(box[2] - box[0], box[3] - box[1]) for box in (left, right)}
    longer = max(height, width)
    assert sizes == {(round(900 * width / longer), round(900 * height / longer))}
    assert left[2] < right[0]
    assert (left[1], left[3]) == (right[1], right[3])
    page = draw_page(explanation)
    assert right[2] < page.width
    assert right[3] < page.height


def test_the_caption_says_what_the_attention_counts_for():
    layer = layer_of([[[0, 0]]], [[1.0]])
    assert caption(explanation_of(layer)) == "piaa-tiny: score 4.250 on 1..7; 4.100 without its attention"
    assert caption(explanation_of()) == "piaa-tiny: score 4.250 on 1..7"


def test_a_long_or_strange_model_name_stays_on_its_line():
    explanation = explanation_of(model="model\n" * 200)
    page = np.asarray(draw_page(explanation))
    assert (page[:, -64:] == PAGE).all()
    assert page.shape == np.asarray(draw_page(explanation_of())).shape
    bottom = photo_boxes(explanation)[0][3]
    written = np.nonzero((page[bottom:] != PAGE).any((1, 2)))[0]
    assert written.max() - written.min() < 40


# ---- the file ----


@pytest.mark.parametrize("suffix", [*FORMATS, ".PNG"])
def test_the_suffix_names_the_format_and_the_same_explanation_gives_the_same_bytes(tmp_path, suffix):
    explanation = explanation_of(layer_of([[[0, 0], [0.5, 0.5]]], [[0.5, 0.5]]))
    first, second = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    draw(explanation, first)
    draw(explanation, second)
    assert first.read_bytes() == second.read_bytes()
    with Image.open(first) as image:
        assert image.format == FORMATS[suffix.lower()]
        assert image.size == draw_page(explanation).size
        difference = np.asarray(image).astype(int) - np.asarray(draw_page(explanation))
    assert np.abs(difference).mean() < 3
    assert sorted(tmp_path.iterdir()) == [first, second]


@pytest.mark.parametrize("name", ["why.gif", "why", "why.pdf"])
def test_another_suffix_is_refused_and_leaves_the_file_as_it_is(tmp_path, name):
    out = tmp_path / name
    out.write_text("old")
    for refuse in (
        lambda path: check_output(path, photo=Path("a.jpg")),
        lambda path: draw(explanation_of(), path),
    ):
        with pytest.raises(OutputError) as caught:
            refuse(out)
        assert str(caught.value) == (
            f"cannot write {out}: the suffix {out.suffix!r} is no picture format; "
            "name a file that ends in .png, .jpg, .jpeg, .webp"
        )
    assert out.read_text() == "old"


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(OutputError) as caught:
        check_output(tmp_path / "none" / "why.png", photo=Path("a.jpg"))
    assert str(caught.value) == (
        f"cannot write {tmp_path}/none/why.png: the folder {tmp_path}/none does not exist; create it first"
    )


def test_the_photo_itself_is_never_written_over(tmp_path):
    photo, link = tmp_path / "a.png", tmp_path / "link.png"
    photo.write_bytes(b"a photo")
    link.symlink_to(photo)
    for out in (photo, link):
        with pytest.raises(OutputError) as caught:
            draw(explanation_of(path=photo), out)
        assert str(caught.value) == (
            f"cannot write {out}: it is the photo itself, which would be lost; name another file"
        )
    assert photo.read_bytes() == b"a photo"


def test_no_photo_is_written_over_but_a_picture_that_was_drawn_is(tmp_path):
    other = tmp_path / "other.jpg"
    Image.new("RGB", (8, 8)).save(other)
    before = other.read_bytes()
    with pytest.raises(OutputError) as caught:
        draw(explanation_of(path=tmp_path / "a.jpg"), other)
    assert str(caught.value) == (
        f"cannot write {other}: it is there, and no picture that piaa explain drew; name another file"
    )
    assert other.read_bytes() == before
    for suffix in FORMATS:
        drawn = tmp_path / f"why{suffix}"
        draw(explanation_of(), drawn)
        draw(explanation_of(), drawn)


def test_drawing_needs_no_torch():
    program = "import sys, generic.explain.picture; print(sorted({'torch'} & set(sys.modules)))"
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=root)
    assert (done.stdout, done.returncode) == ("[]\n", 0)
