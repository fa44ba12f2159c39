"""PS-ViT through timm's registry."""

from __future__ import annotations

import pytest
import timm
import torch

from generic.eat.psvit_registry import PRESETS


def test_base_has_the_papers_number_of_parameters():
    def count(name):
        with torch.device("meta"):
            return sum(p.numel() for p in timm.create_model(name).parameters())

    base = count("psvit_base_14_224")
    assert base == 20_963_152
    assert round(base / 1e6) == 21  # Table 8
    # A convolution of 4 x 4 x 384 to 2 channels, and where 14 x 14 points begin.
    assert count("psvit_base_14_eat_224") == base + 2 * 16 * 384 + 2 + 2 * 196
    assert count("psvit_tiny_14_224") == 4_648_912


@pytest.mark.parametrize("name", list(PRESETS))
def test_presets_build_what_their_names_say(name):
    with torch.device("meta"):
        network = timm.create_model(name, num_classes=3, drop_path_rate=0.1)
    assert network.config.enhanced == ("eat" in name)
    assert (network.config.img_size, network.config.grid, network.config.num_iters) == (224, 14, 4)
    assert network.config.drop_path_rate == 0.1
    assert network.pretrained_cfg["input_size"] == (3, 224, 224)
    assert network.get_classifier().out_features == 3
    parts = network.pretrained_cfg["first_conv"], network.pretrained_cfg["classifier"]
    assert [type(network.get_submodule(part)) for part in parts] == [torch.nn.Conv2d, torch.nn.Linear]


def test_it_runs_at_its_full_size():
    network = timm.create_model("psvit_tiny_14_eat_224", num_classes=10).eval()
    with torch.no_grad():
        x = torch.zeros(1, 3, 224, 224)
        assert network(x).shape == (1, 10)
        assert network.sampling_points(x)[3].shape == (1, 196, 2)
