"""NIMA on any classifier, and the Residual Attention Network, from the command to a person's scores."""

from __future__ import annotations

import json

import pytest
import timm
import torch
from torch import nn

from generic.cache.features import FeatureCache
from generic.errors import TrainingError
from generic.model.checkpoint import read_header
from generic.model.generic_model import GenericModel
from generic.pretrain.config import NetworkSpec, Settings
from generic.pretrain.presets import PRESETS, find_preset
from generic.pretrain.schedule import make_optimiser, set_rate
from generic.pretrain.state import Progressed, load_state, save_state
from generic.pretrain.trained_network import build_network
from generic.residual_attention.attention_module import AttentionModule
from protocols.report.published_distributions import TABLE1

NIMAS = {
    "nima_mobilenet": ("mobilenetv1_100", 224),
    "nima_vgg16": ("vgg16", 224),
    "nima_inception_resnet_v2": ("inception_resnet_v2", 299),
    "nima_xception": ("legacy_xception", 299),
}
TINY_RAN = """
[network]
size = 32
stem_dim = 8
dims = [8, 16, 24, 32]
modules = [1, 1, 1, 0]
poolings = [2, 1, 1, 0]
"""


@pytest.mark.parametrize("name", NIMAS)
def test_a_preset_is_what_nimas_paper_says(name):
    preset, (network, side) = find_preset(name), NIMAS[name]
    assert (preset.network.name, dict(preset.network.options)) == (network, {"drop_rate": 0.75})
    assert timm.is_model_pretrained(network)  # NIMA begins with ImageNet weights
    assert timm.models.get_pretrained_cfg(network).input_size[1] == side
    how = preset.settings
    assert (how.optimiser, how.loss, how.rate, how.rate * how.stem_rate) == (
        *("sgd", "emd"),
        *(3e-6, pytest.approx(3e-7)),
    )
    assert (how.schedule, how.step_epochs, how.step_factor) == ("steps", 10, 0.95)


def test_every_row_of_the_papers_table_has_its_preset():
    assert len(TABLE1) == 4
    assert {*NIMAS, "residual_attention_56", "residual_attention_92"} <= set(PRESETS)


def test_a_distribution_head_of_ten_bins_behind_dropout():
    spec = NetworkSpec(name="mobilenetv1_100", options={"drop_rate": 0.75})
    trainee = build_network(spec, bins=tuple(map(float, range(1, 11))))
    network = trainee.network.eval()
    assert network.get_classifier().out_features == 10
    with torch.no_grad():
        assert network(torch.zeros(2, 3, 64, 64)).shape == (2, 10)
        features = network.forward_features(torch.randn(1, 3, 64, 64))
        assert torch.equal(network.forward_head(features), network.forward_head(features))
        network.train()
        kept = network.forward_head(features, pre_logits=True)
    assert 0.6 < float((kept == 0).float().mean()) < 0.9


@pytest.mark.parametrize("layer_decay", [1.0, 0.5])
def test_the_head_and_what_is_before_it_have_their_own_rates(layer_decay):
    network = timm.create_model("test_resnet", num_classes=5)
    head = {id(parameter) for parameter in network.get_classifier().parameters()}
    rates = {}
    for stem_rate in (1.0, 0.1):
        settings = Settings(optimiser="sgd", rate=0.5, stem_rate=stem_rate, layer_decay=layer_decay)
        optimiser = make_optimiser(network, settings)
        set_rate(optimiser, 0.5)
        rates[stem_rate] = {id(p): group["lr"] for group in optimiser.param_groups for p in group["params"]}
        assert isinstance(optimiser, torch.optim.SGD)
        assert optimiser.param_groups[0]["momentum"] == 0.9
    assert set(rates[0.1]) == {id(parameter) for parameter in network.parameters()}
    for one, rate in rates[1.0].items():
        assert rates[0.1][one] == pytest.approx(rate if one in head else 0.1 * rate)


def test_sgd_goes_on_from_a_saved_state_to_the_bit(tmp_path):
    def fresh():
        network = nn.Linear(3, 2)
        network.get_classifier = lambda: network
        with torch.no_grad():
            network.weight.copy_(torch.arange(6.0).reshape(2, 3))
            network.bias.zero_()
        return network, make_optimiser(network, Settings(optimiser="sgd", rate=0.1))

    def step(network, optimiser):
        optimiser.zero_grad()
        (network(torch.ones(4, 3)) ** 2).mean().backward()
        optimiser.step()

    whole, stopped, resumed = fresh(), fresh(), fresh()
    for _ in range(2):
        step(*whole)
        step(*stopped)
    save_state(tmp_path / "state", Progressed(step=2), {"network": stopped[0]}, stopped[1])
    load_state(tmp_path / "state", {"network": resumed[0]}, resumed[1])
    step(*whole)
    step(*resumed)
    assert torch.equal(whole[0].weight, resumed[0].weight)


def test_a_name_that_is_no_network_is_answered_with_close_ones():
    with pytest.raises(TrainingError) as caught:
        find_preset("nima:resnet5")
    assert "there is no preset 'nima:resnet5', and timm knows no such model; presets are eat_tiny" in str(
        caught.value
    )
    assert "nima_vgg16" in str(caught.value)


def trained(piaa, words, out):
    quick = ["--epochs", 1, "--batch", 4, "--workers", 0, "--validation-share", 0.25, "--json"]
    done = piaa("pretrain", *words, *quick, "--out", out)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def serves_a_person(piaa, model, album, ratings, names):
    """ana is learned on the model, and all photos are ranked for her."""
    words = ("--user", "ana", "--model", model)
    fitted = piaa("fit-user", *words, "--ratings", ratings, "--images", album, "--adapter", "ridge")
    assert fitted.exit_code == 0, fitted.stderr
    scored = json.loads(piaa("score", album, *words, "--json").stdout)["scores"]
    assert {row["image"] for row in scored} == set(names)
    assert all(1 <= row["low"] <= row["score"] <= row["high"] <= 5 for row in scored)
    assert len({row["score"] for row in scored}) > 1


def test_a_nima_of_any_classifier_serves_personal_adapters(piaa, table, album, ratings, names, tmp_path):
    words = ["--dataset", "table", "--ratings", table, "--images", album, "--loss", "emd"]
    words += ["--preset", "nima:test_efficientnet", "--size", 32, "--rate", 0.01, "--stem-rate", 0.5]
    result = trained(piaa, words, tmp_path / "run")
    assert {"emd", "emd1", "plcc_std", "accuracy"} <= set(result["validation"])
    model = tmp_path / "run" / "best.safetensors"
    header = read_header(model)
    assert header.architecture["options"]["drop_rate"] == 0.75
    assert header.architecture["bins"] == [1, 2, 3, 4, 5]
    assert header.training["settings"]["stem_rate"] == 0.5
    assert header.training["data"]["accuracy is of scores above"] == 3
    serves_a_person(piaa, model, album, ratings, names)


@pytest.mark.parametrize(("loss", "outputs"), [("emd", 5), ("mse", 1)])
def test_a_residual_attention_network_is_a_model_file(
    piaa, table, album, ratings, names, tmp_path, loss, outputs
):
    config = tmp_path / "ran.toml"
    config.write_text(TINY_RAN)
    words = ["--dataset", "table", "--ratings", table, "--images", album, "--loss", loss]
    trained(piaa, [*words, "--preset", "residual_attention_56", "--config", config], tmp_path / "run")
    model = GenericModel(tmp_path / "run" / "best.safetensors")
    assert (model.header.architecture["name"], model.size) == ("residual_attention_56", 32)
    network = model.network.network
    assert network.num_classes == outputs
    assert sum(isinstance(module, AttentionModule) for module in network.modules()) == 3
    with FeatureCache.open(None) as cache:
        (item,) = model.embed([album / "photo-01.jpg"], cache=cache)
    assert item.vector.shape == (1 + 32,)
    serves_a_person(piaa, model.path, album, ratings, names)
