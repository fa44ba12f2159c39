"""A model's attention against gaze, and masked folders: maps, figures and the commands."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from generic.engine.torch_engine import as_input
from generic.errors import ShapeError
from generic.explain.explanation import explain
from generic.model.checkpoint import NETWORK, Header, save_checkpoint
from generic.model.generic_model import GenericModel
from generic.photos.open import load_pixels
from generic.pretrain.config import NetworkSpec
from generic.pretrain.trained_network import build_network
from protocols.gaze.attention import attention_maps, mask_map, point_map, resized
from protocols.gaze.compare import centre_prior, compare, halves
from protocols.gaze.fixations import Fixations
from protocols.gaze.saliency import auc_judd

HEADER = "recording\tmedia\tx\ty\tduration"
TINY = {"stem_dim": 8, "dims": (8, 16, 24, 32), "modules": (1, 1, 0, 0), "poolings": (2, 1, 0, 0)}


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A Residual Attention Network that was never trained, as a model file."""
    trainee = build_network(
        NetworkSpec(name="residual_attention_56", size=64, options=TINY), bins=(1.0, 2.0, 3.0)
    )
    state = {NETWORK + key: value.numpy() for key, value in trainee.network.state_dict().items()}
    path = tmp_path_factory.mktemp("models") / "ran.safetensors"
    header = Header(name="ran", architecture=trainee.architecture("squash"), scale=(1, 3), training={})
    save_checkpoint(path, header, state)
    return path


@pytest.fixture
def shown(tmp_path, album):
    """Two photos of the album in a folder of their own, and gaze of three people in their left upper part."""
    folder = tmp_path / "shown"
    folder.mkdir()
    rng = np.random.default_rng(0)
    lines = [HEADER]
    for name in ("photo-01.jpg", "photo-02.jpg"):
        (folder / name).write_bytes((album / name).read_bytes())
        points = rng.normal((24, 18), 4, (15, 2)).clip(0, 70)
        lines += [f"p{n % 3}\t{name}\t{x:.1f}\t{y:.1f}\t200" for n, (x, y) in enumerate(points)]
    (tmp_path / "gaze.tsv").write_text("\n".join(lines) + "\n")
    return folder, tmp_path / "gaze.tsv"


def gaze_at(*points, people=None) -> Fixations:
    return Fixations(
        image="photo-01.jpg",
        size=(72, 96),
        recordings=tuple(people or ("p1",) * len(points)),
        points=np.array(points, float),
        durations=np.full(len(points), 200.0),
    )


def test_points_lie_where_the_layer_looked(album, tiny_model):
    explanation = explain(GenericModel(tiny_model), album / "photo-01.jpg")
    layer = explanation.layers[-1]
    layer.positions[:] = 0.0  # the centre of the map
    found = point_map(explanation, (72, 96), sigma=3.0)
    assert np.unravel_index(found.argmax(), found.shape) == (36, 48)
    # All of the attention lies there, but for what the Gaussian's cut-off loses.
    assert found.sum() == pytest.approx(1, abs=1e-3)
    layer.positions[:] = 5.0
    assert point_map(explanation, (72, 96), sigma=3.0).sum() == 0


def test_masks_are_the_mean_over_channels_and_modules_stretched_over_the_photo(album, ran):
    model, photo = GenericModel(ran), album / "photo-01.jpg"
    found = mask_map(model, photo, (72, 96))
    assert (found.shape, found.min() >= 0, found.max() <= 1) == ((72, 96), True, True)
    masks = []
    network = model.network.network
    handles = [
        network.stages[stage][1].mask.register_forward_hook(lambda _m, _i, mask: masks.append(mask))
        for stage in (0, 1)
    ]
    with torch.no_grad():
        model.network(as_input(load_pixels(photo, 64)[None]))
    for handle in handles:
        handle.remove()
    expected = np.mean([resized(mask[0].mean(0).numpy(), (72, 96)) for mask in masks], axis=0)
    assert found == pytest.approx(expected, abs=1e-6)


def test_every_network_has_the_maps_of_its_kind(album, tiny_model, ran):
    photo = album / "photo-01.jpg"
    kinds = {
        file: set(attention_maps(GenericModel(file), photo, (72, 96), sigma=4.0))
        for file in (tiny_model, ran)
    }
    assert kinds == {tiny_model: {"points", "heat"}, ran: {"masks", "heat"}}


def test_a_model_that_pads_is_refused(album, ran, tmp_path):
    model = GenericModel(ran)
    model.header.architecture["fit"] = "pad"
    with pytest.raises(ShapeError) as caught:
        attention_maps(model, album / "photo-01.jpg", (72, 96), sigma=4.0)
    assert str(caught.value) == (
        "model ran pads photos to a square, and its maps with them; compare a model that squashes them"
    )


def test_the_centre_prior_is_highest_at_the_centre_and_symmetric():
    prior = centre_prior((5, 7))
    assert np.unravel_index(prior.argmax(), prior.shape) == (2, 3)
    assert prior == pytest.approx(prior[::-1, ::-1])
    assert prior[2, 0] == pytest.approx(np.exp(-((3 / 7) ** 2) / (2 * 0.25**2)))


def test_halves_are_people_and_not_fixations():
    gaze = gaze_at((1, 1), (2, 2), (3, 3), (4, 4), people=("b", "a", "c", "a"))
    one, other = halves(gaze)
    assert (set(one.recordings), set(other.recordings)) == ({"a", "c"}, {"b"})
    assert one.points.tolist() == [[2, 2], [3, 3], [4, 4]]
    assert halves(gaze_at((1, 1), (2, 2))) is None


def test_a_network_whose_attention_is_planted_where_people_look_beats_the_centre(album, tiny_model):
    explanation = explain(GenericModel(tiny_model), album / "photo-01.jpg")
    layer = explanation.layers[-1]
    rng = np.random.default_rng(3)
    layer.positions[:] = -0.6 + rng.normal(0, 0.05, layer.positions.shape)
    places = layer.places.reshape(-1, 2) * (96, 72)
    fixated = np.zeros((72, 96), bool)
    for x, y in rng.normal(places.mean(0), 3, (20, 2)):
        fixated[int(y), int(x)] = True
    planted = auc_judd(point_map(explanation, (72, 96), sigma=4.0), fixated)
    assert planted > 0.9 > auc_judd(centre_prior((72, 96)), fixated)


def test_the_command_compares(piaa, shown, tiny_model, ran):
    photos, gaze = shown
    words = ["gaze", "compare", photos, "--gaze", gaze, "--pixels-per-degree", 6]
    words += ["--model", tiny_model, "--model", ran]
    rows = json.loads(piaa(*words, "--json").stdout)
    named = {row["map"]: row for row in rows}
    assert list(named) == [
        *("piaa-tiny: points", "piaa-tiny: heat", "ran: masks", "ran: heat"),
        *("centre prior", "other people"),
    ]
    # Gaze lies off the centre, at one place: other people know it, the centre does not.
    assert named["other people"]["AUC-Judd"] > 0.9 > named["centre prior"]["AUC-Judd"]
    assert {row["photos"] for row in rows} == {2}
    lines = piaa(*words).stdout.splitlines()
    assert lines[0] == "2 photos, 30 fixations"
    assert lines[1].split() == ["AUC-Judd", "NSS", "CC", "SIM"]
    assert lines[-1].split()[:2] == ["other", "people"]


def test_pictures_show_the_photo_and_every_map(piaa, shown, ran, tmp_path):
    photos, gaze = shown
    words = ["gaze", "compare", photos, "--gaze", gaze, "--pixels-per-degree", 6, "--model", ran]
    done = piaa(*words, "--pictures", tmp_path / "drawn")
    assert done.exit_code == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "drawn").iterdir()) == [
        *("photo-01.jpg.png", "photo-02.jpg.png")
    ]
    with Image.open(tmp_path / "drawn" / "photo-01.jpg.png") as page:
        pixels = np.asarray(page, int)
    # The photo, people, masks, heat: four panels of 360 x 270 with 16 between them.
    assert pixels.shape == (270 + 40 + 16, 4 * (360 + 16) + 16, 3)
    people = pixels[40:310, 392:752]
    warm = people[:, :, 0] - people[:, :, 2]
    row, column = np.unravel_index(warm.argmax(), warm.shape)
    assert abs(row - 18 / 72 * 270) < 30
    assert abs(column - 24 / 96 * 360) < 30


def test_a_map_that_is_constant_is_counted_and_not_averaged(shown, ran, monkeypatch):
    from protocols.gaze import compare as module

    photos, _ = shown
    monkeypatch.setattr(module, "attention_maps", lambda *_a, **_k: {"heat": np.zeros((72, 96))})
    found = compare([GenericModel(ran)], {"photo-01.jpg": gaze_at((9, 9))}, photos, pixels_per_degree=5)
    assert found[0].undefined == {"NSS": 1, "CC": 1, "SIM": 1}
    assert np.isnan(found[0].means["NSS"])
    assert found[0].facts()["NSS"] is None


def test_masked_photos_keep_names_sizes_and_what_was_looked_at(piaa, shown, tmp_path):
    photos, gaze = shown
    out = tmp_path / "deep" / "masked"
    words = ["gaze", "mask", photos, "--gaze", gaze, "--pixels-per-degree", 6, "--side", 8, "--fill", 255]
    done = piaa(*words, "--out", out)
    assert done.exit_code == 0, done.stderr
    assert sorted(path.name for path in out.iterdir()) == ["photo-01.jpg", "photo-02.jpg"]
    assert [path.name for path in out.parent.iterdir()] == ["masked"]
    with Image.open(photos / "photo-01.jpg") as before, Image.open(out / "photo-01.jpg") as after:
        old, new = np.asarray(before, int), np.asarray(after, int)
    assert old.shape == new.shape
    assert np.abs(old - new)[16:20, 22:26].max() < 12  # JPEG twice
    assert new[50:, 70:].min() > 245
    assert done.stdout.startswith(f"{out}: 2 photos, ")
    again = piaa(*words, "--out", out)
    assert (again.exit_code, again.stderr) == (
        1,
        f"piaa: cannot write into {out}: it exists and is not empty; name another\n",
    )
