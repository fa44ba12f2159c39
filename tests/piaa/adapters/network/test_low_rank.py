"""Low-rank updates: the formula, the layers they are put on, and people who were stored before.

``lora_of_peft.safetensors`` was written by ``python tests/piaa/adapters/network/test_low_rank.py`` when the
library peft made the factors: the factors that a fit began with (``start.``), the person fitted (``state.``)
and the person's scores.
"""

from __future__ import annotations

import copy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from torch import nn

from generic.eat.layers import Pointwise
from generic.engine.torch_engine import TorchEngine
from generic.errors import PiaaError
from piaa.adapters.base import Photos
from piaa.adapters.network import low_rank
from piaa.adapters.network.copies import personal_copy
from piaa.adapters.network.lora import RANK, LoraAdapter
from piaa.adapters.network.options import Gate, TuneOptions

STORED = Path(__file__).with_name("lora_of_peft.safetensors")
SIDE, LEARNED = 16, 20


class Tiny(nn.Module):
    """Every kind of layer that is updated, and of each kind that is not."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv2d(3, 8, 4, 4)
        self.point = Pointwise(8, 8)
        self.conv = nn.Conv2d(8, 12, 1, stride=2, bias=False)
        self.grouped = nn.Conv2d(12, 12, 1, groups=2)
        self.mlp = nn.Sequential(nn.Linear(12, 8), nn.GELU(), nn.Linear(8, 1))

    def forward(self, x):
        maps = self.conv(self.point(self.enter(x)).relu())
        pooled = (maps + self.grouped(maps)).mean((2, 3))
        return 0.5 + 0.3 * self.mlp(pooled)[:, 0], pooled


UPDATED = ["point", "conv", "mlp.0"]


def tiny() -> nn.Module:
    network, rng = Tiny().eval().requires_grad_(requires_grad=False), np.random.RandomState(0)
    for parameter in network.parameters():
        parameter.copy_(torch.from_numpy(rng.normal(0, parameter[0].numel() ** -0.5, parameter.shape)))
    return network


def adapter(gate: Gate = "average") -> LoraAdapter:
    generic = SimpleNamespace(network=tiny(), check_plain=lambda _: None)
    # At the rate of then.
    return LoraAdapter(generic, options=TuneOptions(gate=gate, rate=1e-3))


def photos_and_ratings() -> tuple[Photos, np.ndarray]:
    """Of someone who likes red photos."""
    rng = np.random.RandomState(1)
    pixels = (rng.rand(30, 1, 1, 3) * rng.randint(128, 256, (30, SIDE, SIDE, 3))).astype(np.uint8)
    reds = pixels[..., 0].mean((1, 2)) / 255
    return Photos(vectors=TorchEngine(tiny()).vectors(pixels), pixels=pixels), reds


def fit() -> LoraAdapter:
    """With the gate that there was when people were stored before: the network alone, if it helps."""
    photos, ratings = photos_and_ratings()
    return adapter("error").fit(photos.take(np.arange(LEARNED)), ratings[:LEARNED])


def write(path: Path) -> None:
    network = personal_copy(tiny(), own=())
    start = low_rank.add_low_rank(network, RANK)
    person = fit()
    arrays = {f"start.{name}": factor.detach().numpy() for name, factor in start.items()}
    arrays |= {f"state.{key}": np.asarray(value, order="C") for key, value in person.state().items()}
    save_file(arrays | {"scores": person.predict(photos_and_ratings()[0]).score}, path)


@pytest.fixture(scope="module")
def stored() -> dict[str, np.ndarray]:
    return load_file(STORED)


def part(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)}


def assert_same_bits(one, other):
    assert one.keys() == other.keys()
    for key, value in one.items():
        assert (value.dtype, value.shape) == (other[key].dtype, other[key].shape), key
        assert value.tobytes() == other[key].tobytes(), key


# ---- people stored before ----


def without_format(state):
    """What was learned; the number of the format is today's."""
    return {key: np.asarray(value) for key, value in state.items() if key != "format"}


def test_a_fit_begins_with_the_factors_that_it_always_began_with(stored):
    trained = low_rank.add_low_rank(personal_copy(tiny(), own=()), RANK)
    start = {name: factor.detach().numpy() for name, factor in trained.items()}
    assert [name.rpartition(".lora_")[0] for name in start] == [name for name in UPDATED for _ in "AB"]
    assert_same_bits(start, part(stored, "start."))


def test_a_person_stored_before_is_restored(stored):
    state = part(stored, "state.")
    person = adapter().restore(state)
    assert_same_bits(without_format(person.state()), without_format(state))
    scores = person.predict(photos_and_ratings()[0]).score
    np.testing.assert_allclose(scores, stored["scores"], rtol=0, atol=1e-6)
    assert np.ptp(scores) > 0.3
    plain = photos_and_ratings()[0].vectors[:, 0] + state["level"]
    assert np.abs(scores - plain).max() > 0.01, "the factors change nothing: no test of them"


def test_a_fit_gives_the_person_that_it_gave_before(stored):
    before, now = without_format(part(stored, "state.")), without_format(fit().state())
    assert now.pop("weight") == 1  # a state without it is of a release where the network counts alone
    assert now.keys() == before.keys()
    for key, value in now.items():
        # Half precision keeps 11 bits; another processor may round the last one otherwise.
        np.testing.assert_allclose(value, before[key], rtol=1e-3, atol=1e-5, err_msg=key)


# ---- the formula ----


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", ["linear", "convolution", "strided and padded"])
def test_an_update_adds_twice_the_product_of_its_factors(kind, bias):
    makers = {
        "linear": lambda: nn.Linear(6, 5, bias=bias),
        "convolution": lambda: nn.Conv2d(6, 5, 1, bias=bias),
        "strided and padded": lambda: nn.Conv2d(6, 5, 1, stride=2, padding=1, bias=bias),
    }
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        layer = makers[kind]()
        x = torch.randn((3, 6) if kind == "linear" else (3, 6, 4, 7), dtype=torch.float64)
        update = low_rank.LowRank(layer, 4).double()
        assert torch.equal(update(x), layer(x))
        update.b.weight.normal_()
        wanted = copy.deepcopy(layer)
        product = update.b.weight.flatten(1) @ update.a.weight.flatten(1)
        wanted.weight += 2 * product.reshape(layer.weight.shape)
        torch.testing.assert_close(update(x), wanted(x), rtol=0, atol=1e-12)


def test_the_first_factor_is_drawn_as_the_paper_draws_it():
    """Kaiming's uniform distribution with a = sqrt(5), as the authors' code: within 1 / sqrt(n_in)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        weight = low_rank.LowRank(nn.Linear(400, 10), 50).a.weight.detach()
    assert weight.shape == (50, 400)
    assert 0.999 * 400**-0.5 < weight.abs().max() <= 400**-0.5
    assert weight.std().item() == pytest.approx((3 * 400) ** -0.5, rel=0.02)


# ---- where updates are put ----


def test_layers_of_few_channels_and_other_convolutions_stay_as_they_are():
    assert low_rank.targets(tiny(), RANK) == UPDATED
    assert low_rank.targets(tiny(), 7) == UPDATED


def test_only_the_factors_are_trained_and_the_rest_is_shared():
    network = tiny()
    twin = personal_copy(network, own=())
    trained = low_rank.add_low_rank(twin, RANK)
    wanting = [parameter for parameter in twin.parameters() if parameter.requires_grad]
    assert {id(parameter) for parameter in wanting} == {id(parameter) for parameter in trained.values()}
    others = {id(parameter) for parameter in twin.parameters()} - {id(parameter) for parameter in wanting}
    assert others == {id(parameter) for parameter in network.parameters()}
    assert not twin.training


def test_a_network_without_such_layers_is_refused():
    with pytest.raises(PiaaError) as caught:
        low_rank.add_low_rank(nn.Sequential(nn.Conv2d(3, 8, 3), nn.Linear(4, 4)), 4)
    assert str(caught.value) == (
        "a Sequential has no linear layer and no 1x1 convolution of more than 4 channels, "
        "so lora has nothing to update; use --adapter finetune"
    )


if __name__ == "__main__":
    write(STORED)
