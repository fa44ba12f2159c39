"""The whole network: it learns, it does not mix images, and chance acts in training only."""

from __future__ import annotations

import copy

import pytest
import torch
from torch.nn import functional as F

from generic.eat import EAT, set_progress
from generic.errors import ShapeError

TINY = {
    "img_size": 64,
    "dims": (8, 16, 32, 64),
    "heads": (1, 2, 4, 8),
    "groups": (1, 1, 2, 4),
    "windows": 2,
    "k_in": (8, 4, 2, 1),
    "stages": ("LS", "L", "EE", "E"),
}


def network(seed=0, noise=0.1, **options) -> EAT:
    """A small network, every parameter far from zero."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        built = EAT(**{**TINY, **options}).eval()
        with torch.no_grad():
            for parameter in built.parameters():
                parameter.add_(noise * torch.randn_like(parameter))
    return built


def photos(n=2, chans=3, size=64, seed=1):
    return torch.randn(n, chans, size, size, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(autouse=True)
def random_state():
    """Gives the global generator back as it was: training mode draws from it."""
    with torch.random.fork_rng(devices=[]):
        yield


# ---- learning ----


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"stages": ("E", "E", "EE", "E"), "conv_patches": True, "depthwise_mlp": True},
        {"stages": ("D",) * 4},
    ],
    ids=["LLEE", "EEEE", "DDDD"],
)
def test_eight_images_are_learned_by_heart(options):
    torch.manual_seed(0)
    built = EAT(**{**TINY, "num_classes": 4, **options}).train()
    x, target = photos(8), torch.arange(8) % 4
    optimizer = torch.optim.AdamW(built.parameters(), lr=3e-3)
    losses = []
    for _ in range(40):
        loss = F.cross_entropy(built(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] > 1
    assert losses[-1] < 0.05


def test_gradients_reach_every_parameter():
    built = network().train()
    set_progress(built, 0.5)
    built(photos()).square().mean().backward()
    for name, parameter in built.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


def test_the_points_themselves_learn():
    """With all else held, the interest points alone lower a loss."""
    built = network()
    for name, parameter in built.named_parameters():
        parameter.requires_grad_(".interest." in name)
    x = photos(4)
    target = built(x).detach() + 0.1
    optimizer = torch.optim.Adam([p for p in built.parameters() if p.requires_grad], lr=1e-2)
    losses = []
    for _ in range(15):
        loss = F.mse_loss(built(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.97 * losses[0]


# ---- one image, and its companions ----


def test_evaluation_is_deterministic():
    built, x = network(drop_rate=0.5, attn_drop_rate=0.5, drop_path_rate=0.5), photos()
    set_progress(built, 0.0)
    with torch.no_grad():
        assert torch.equal(built(x), built(x))


@pytest.mark.parametrize("stages", [("LS", "L", "EE", "E"), ("D", "D", "D", "D")], ids=["LLEE", "DDDD"])
def test_a_score_does_not_depend_on_its_batch(stages):
    built, x = network(stages=stages), photos(5)
    with torch.no_grad():
        together = built(x)
        alone = torch.cat([built(one[None]) for one in x])
        torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)
        # Other companions, the same place: not one bit differs.
        others = torch.cat((x[:2], photos(3, seed=9)))
        assert torch.equal(built(others)[:2], together[:2])
        assert not torch.equal(built(others)[2:], together[2:])
        # A batch of another size or order is summed in another order; nothing else may differ.
        built, x, order = built.double(), x.double(), torch.tensor([3, 1, 4, 0, 2])
        exact = built(x)
        torch.testing.assert_close(built(x[order]), exact[order], rtol=0, atol=1e-12)
        torch.testing.assert_close(torch.cat([built(one[None]) for one in x]), exact, rtol=0, atol=1e-12)
    assert (together[0] - together[1]).abs().max() > 1e-3


def test_the_mean_over_the_batch_does_depend_on_it():
    built, x = network(over_batch=True), photos(5)
    with torch.no_grad():
        assert (built(x)[:1] - built(x[:1])).abs().max() > 1e-4


def test_the_gradient_of_a_score_is_its_own_image_s():
    built, x = network(), photos(3).requires_grad_()
    (gradient,) = torch.autograd.grad(built(x)[1].sum(), x)
    assert gradient[1].abs().max() > 0
    assert not gradient[[0, 2]].any()


def test_memory_layout_is_not_seen():
    built, x = network(), photos()
    with torch.no_grad():
        plain = built(x)
        assert torch.equal(built(x.to(memory_format=torch.channels_last)), plain)
        half = F.pad(x, (3, 3))[..., 3:-3]
        assert not half.is_contiguous()
        assert torch.equal(built(half), plain)


def test_a_copy_is_the_same_network():
    built = network()
    with torch.no_grad():
        assert torch.equal(copy.deepcopy(built)(photos()), built(photos()))


def test_half_precision_is_near():
    built, x = network(noise=0.02), photos()
    with torch.no_grad():
        exact = built(x)
        rough = copy.deepcopy(built).bfloat16()(x.bfloat16())
        with torch.autocast("cpu", torch.bfloat16):
            mixed = built(x)
    assert rough.dtype == torch.bfloat16
    spread = (exact - exact.mean()).std()
    assert (rough.float() - exact).abs().max() < 0.2 * spread
    assert (mixed.float() - exact).abs().max() < 0.2 * spread


# ---- chance ----

CHANCES = {
    "drop_rate": {"drop_rate": 0.5},
    "attn_drop_rate": {"attn_drop_rate": 0.5},
    "drop_path_rate": {"drop_path_rate": 0.5},
}


@pytest.mark.parametrize("stages", [("LS", "S", "L", "L"), ("E", "E", "E", "E")], ids=["windows", "points"])
@pytest.mark.parametrize("name", CHANCES)
def test_dropout_acts_in_training_alone(name, stages):
    plain, dropping, x = network(stages=stages), network(stages=stages, **CHANCES[name]), photos()
    with torch.no_grad():
        assert torch.equal(plain(x), dropping(x))
        plain.train()
        dropping.train()
        # Without turning and dropping, training is what evaluation is.
        set_progress(plain, 1.0)
        assert torch.equal(plain(x), plain(x))
        assert not torch.equal(dropping(x), dropping(x))
        torch.manual_seed(4)
        first = dropping(x)
        torch.manual_seed(4)
        assert torch.equal(dropping(x), first)


def test_features_are_dropped_before_the_last_layer():
    built = network(stages=("L", "L", "L", "L"), drop_rate=0.5).train()
    torch.manual_seed(0)
    pooled = built.forward_head(torch.ones(1, 64, 2, 2), pre_logits=True)
    assert set(pooled.unique().tolist()) == {0.0, 2.0}


@pytest.mark.parametrize("rotate", ["point", "image", "batch"])
def test_offsets_turn_in_training_until_its_end(rotate):
    built, x = network(rotate=rotate), photos()
    with torch.no_grad():
        still = built(x)
        set_progress(built, 0.0)
        assert torch.equal(built(x), still)
        built.train()
        assert (built(x) - built(x)).abs().max() > 1e-5
        set_progress(built, 1.0)
        torch.testing.assert_close(built(x), still, rtol=0, atol=1e-5)


# ---- sizes ----


@pytest.mark.parametrize("shape", [(3, 64, 64), (2, 3, 64, 32), (2, 3, 96, 96), (2, 1, 64, 64)])
def test_images_of_another_shape_are_refused(shape):
    message = (
        f"this EAT takes images of shape (b, 3, 64, 64), got {shape}; "
        f"resize them, or build one with another img_size"
    )
    for run in (EAT.forward, EAT.forward_features, EAT.forward_intermediates):
        with pytest.raises(ShapeError) as error:
            run(network(), torch.zeros(shape))
        assert str(error.value) == message


def test_weights_of_another_size_are_refused():
    built, state = network(img_size=96), network().state_dict()
    before = copy.deepcopy(built.state_dict())
    with pytest.raises(RuntimeError, match=r"size mismatch for stages\.2\.blocks\.0\.attention\.bias_table"):
        built.load_state_dict(state)
    with pytest.raises(
        RuntimeError, match=r"size mismatch for stages\.2\.blocks\.0\.attention\.interest\.start"
    ):
        built.load_state_dict(state, strict=False)
    assert set(before) == set(state)
