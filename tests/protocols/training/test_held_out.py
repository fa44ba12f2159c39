"""Tests of generic models on distributions: the command as a person uses it, and its figures."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from generic.cache.features import FeatureCache
from generic.errors import DatasetError
from generic.model.checkpoint import NETWORK, Header, save_checkpoint
from generic.model.generic_model import GenericModel
from generic.model.raw_outputs import raw_outputs
from generic.pretrain.config import NetworkSpec
from generic.pretrain.trained_network import build_network
from protocols.datasets.load import load_dataset
from protocols.report.published_distributions import TABLE1
from protocols.training.held_out import evaluate_model, held_out

BINS = (1.0, 2.0, 3.0, 4.0, 5.0)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A NIMA that was never trained, at 32 pixels, with a head that tells photos apart."""
    spec = NetworkSpec(name="test_efficientnet", size=32)
    trainee = build_network(spec, bins=BINS)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(1)
        trainee.network.get_classifier().weight.normal_(0, 0.5)
    state = {NETWORK + key: value.numpy() for key, value in trainee.network.state_dict().items()}
    path = tmp_path_factory.mktemp("models") / "nima.safetensors"
    architecture = trainee.architecture("squash")
    save_checkpoint(path, Header(name="nima", architecture=architecture, scale=(1, 5), training={}), state)
    return path


@pytest.fixture
def root(tmp_path, album, names):
    """Histograms of the album's photos on 1..5."""
    rng = np.random.default_rng(2)
    rows = [",".join([name, *map(str, rng.multinomial(20, rng.dirichlet(np.ones(5))))]) for name in names]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "histograms.csv").write_text("\n".join(["image,1,2,3,4,5", *rows]) + "\n")
    return tmp_path / "mine"


def test_figures_are_those_of_the_networks_distributions(root, album, names, model):
    data = load_dataset("histograms", root, images=album)
    photos = held_out(data)
    assert set(photos.files) == set(data.lists["test"])
    loaded = GenericModel(model)
    tested = evaluate_model(loaded, photos)
    raw = raw_outputs(loaded, list(photos.files.values())).values.astype(np.float64)
    shares = np.exp(raw) / np.exp(raw).sum(1, keepdims=True)
    rated = np.array([data.counts[name] for name in photos.files], float)
    rated /= rated.sum(1, keepdims=True)
    cumulated = np.abs(np.cumsum(shares - rated, axis=1))
    assert tested.figures["emd1"] == pytest.approx(cumulated.mean(), abs=1e-6)
    assert tested.figures["emd"] == pytest.approx(np.sqrt((cumulated**2).mean(1)).mean(), abs=1e-6)
    good = rated @ np.arange(1, 6) > 3
    assert tested.figures["accuracy"] == np.mean((shares @ np.arange(1, 6) > 3) == good)


def test_raw_outputs_give_the_models_own_scores_and_no_photo_changes_anothers(album, names, model):
    loaded = GenericModel(model)
    paths = [album / name for name in names]
    raw = raw_outputs(loaded, paths)
    assert (raw.bins, raw.softmax, raw.values.shape) == (BINS, True, (len(names), 5))
    with FeatureCache.open(None) as cache:
        scores = np.array([item.vector[0] for item in loaded.embed(paths, cache=cache)])
    shares = torch.from_numpy(raw.values).softmax(1).numpy()
    assert (shares @ np.arange(5) / 4).tolist() == pytest.approx(scores.tolist(), abs=1e-6)
    assert np.array_equal(raw_outputs(loaded, paths[3:4]).values[0], raw.values[3])


def test_a_model_of_scores_alone_has_no_figures_of_distributions(root, album, tiny_model):
    tested = evaluate_model(
        GenericModel(tiny_model), held_out(load_dataset("histograms", root, images=album))
    )
    assert {"accuracy", "plcc"} <= set(tested.figures)
    assert not {"emd", "emd1", "plcc_std"} & set(tested.figures)
    assert tested.notes[-1] == "piaa-tiny gives a score and no distribution"


def test_a_photo_that_cannot_be_read_is_left_out_and_named(root, album, names, model, tmp_path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "x.jpg").write_bytes(b"no photo")
    loaded = GenericModel(model)
    paths = [album / names[0], tmp_path / "broken" / "x.jpg", album / names[1]]
    raw = raw_outputs(loaded, paths)
    assert np.isnan(raw.values[1]).all()
    assert list(raw.errors) == [paths[1]]
    assert np.array_equal(raw.values[[0, 2]], raw_outputs(loaded, [paths[0], paths[2]]).values)


def test_bins_of_another_scale_are_not_compared(root, album, model):
    text = (root / "histograms.csv").read_text().replace("1,2,3,4,5", "0,1,2,3,4", 1)
    (root / "histograms.csv").write_text(text)
    tested = evaluate_model(GenericModel(model), held_out(load_dataset("histograms", root, images=album)))
    assert "emd1" not in tested.figures
    assert tested.notes[-1] == "nima has bins 1..5, the raters' are 0..4: distributions not compared"


def test_the_command_prints_published_rows_beside_ours_and_says_which_is_which(
    piaa, root, album, model, tiny_model
):
    words = ["evaluate-generic", "--dataset", "histograms", "--root", root, "--images", album]
    words += ["--model", model, "--model", tiny_model, "--threshold", 3.5]
    done = piaa(*words)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    facts = json.loads(piaa(*words, "--json").stdout)
    assert facts["larger_class"] == 1
    assert lines[1] == (
        "accuracy: which photos are above 3.5; always naming the larger class would score 100.00%"
    )
    columns = "model source photos accuracy LCC mean LCC std EMD r=1 EMD r=2 EMD ? SRCC"
    assert " ".join(lines[2].split()) == columns
    assert [line.split("  ")[0] for line in lines[3:9]] == [
        *("nima", "piaa-tiny"),
        *(row.model for row in TABLE1),
    ]
    assert all("measured here" in line for line in lines[3:5])
    assert all("published" in line for line in lines[5:9])
    assert lines[8].split()[-7:] == ["81.74%", "0.641", "0.211", "-", "-", "0.045", "-"]
    assert lines[-1].startswith("published: said to be on the paper's own GBR data")
    assert facts["threshold"] == 3.5
    assert [row["source"] for row in facts["rows"]] == ["measured here"] * 2
    assert len(facts["published"]) == 4


def test_without_any_file_of_the_test_images(root, tmp_path, model):
    (tmp_path / "none").mkdir()
    with pytest.raises(DatasetError) as caught:
        held_out(load_dataset("histograms", root, images=tmp_path / "none"))
    assert str(caught.value) == (
        f"not one of 1 test images of 'histograms' has a file in {tmp_path / 'none'}; name their folder "
        "with --images"
    )


def test_the_larger_class(root, album, names):
    (root / "histograms.csv").write_text(
        "image,1,2,3,4,5\n" + "".join(f"{name},0,0,{n},{20 - n},0\n" for n, name in enumerate(names))
    )
    (root / "train.txt").write_text(f"{names[0]}\n")
    (root / "test.txt").write_text("".join(f"{name}\n" for name in names[1:]))
    data = load_dataset("histograms", root, images=album, train=root / "train.txt", test=root / "test.txt")
    # Means are 4 - n / 20 for n = 1 to 11: eleven photos, eight of them above 3.58.
    assert held_out(data, threshold=3.58).larger_class == pytest.approx(8 / 11)
    assert held_out(data, threshold=3.92).larger_class == pytest.approx(10 / 11)
