"""Losses against SciPy, closed forms and sums by hand."""

from __future__ import annotations

import re

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from generic.errors import ShapeError
from generic.losses import check_distributions, emd, expected_score, mse, official_emd

T = 10


def logits(n=6, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(0, 2, (n, T)))


def shares(n=6, seed=1):
    return torch.from_numpy(np.random.default_rng(seed).dirichlet(np.ones(T), n))


def one_bin(k):
    """All raters in bin k (from 0), as logits and as shares, in float64."""
    return torch.full((1, T), -1000.0).double().index_fill_(1, torch.tensor(k), 0.0), torch.eye(T).double()[
        [k]
    ]


def raises(message):
    return pytest.raises(ShapeError, match=f"^{re.escape(message)}$")


# ---- the earth mover's distance ----


def test_order_1_is_scipy_over_the_number_of_bins():
    x, target = logits(), shares()
    places = np.arange(T)
    distances = [
        scipy.stats.wasserstein_distance(places, places, p, q)
        for p, q in zip(scipy.special.softmax(x.numpy(), 1), target.numpy(), strict=True)
    ]
    # SciPy's bins lie 1 apart and so it sums; the mean over t bins has the factor 1/t.
    assert emd(x, target, r=1).item() == pytest.approx(np.mean(distances) / T, rel=1e-12)


@pytest.mark.parametrize("r", [1, 1.5, 2])
@pytest.mark.parametrize(("k", "j"), [(0, 9), (3, 4), (7, 2)])
def test_one_bin_against_another(r, k, j):
    # The cumulated shares differ by 1 in the |k - j| bins between.
    assert emd(one_bin(k)[0], one_bin(j)[1], r=r).item() == pytest.approx(
        (abs(k - j) / T) ** (1 / r), rel=1e-12
    )


def test_order_2_is_the_default_and_a_mean_of_roots():
    x, target = logits(), shares()
    difference = np.cumsum(scipy.special.softmax(x.numpy(), 1) - target.numpy(), 1)
    by_hand = np.sqrt((difference**2).mean(1)).mean()
    assert emd(x, target).item() == pytest.approx(by_hand, rel=1e-12)
    assert emd(x, target, r=2).item() == emd(x, target).item()


@pytest.mark.parametrize("r", [1, 2])
def test_it_is_the_mean_of_the_images_alone(r):
    x, target = logits(), shares()
    alone = torch.stack([emd(x[[i]], target[[i]], r=r) for i in range(6)])
    assert emd(x, target, r=r).item() == pytest.approx(alone.mean().item(), rel=1e-12)
    order = torch.tensor([3, 1, 5, 0, 4, 2])
    assert emd(x[order], target[order], r=r).item() == pytest.approx(emd(x, target, r=r).item(), rel=1e-12)


def test_logits_may_be_shifted():
    x, target = logits(), shares()
    assert emd(x + 50, target).item() == pytest.approx(emd(x, target).item(), rel=1e-12)


@pytest.mark.parametrize("r", [1, 1.5, 2])
def test_gradients(r):
    target = shares(3)
    assert torch.autograd.gradcheck(lambda x: emd(x, target, r=r), (logits(3).requires_grad_(),))


@pytest.mark.parametrize("r", [1, 1.5, 2])
def test_an_exact_fit_is_0_and_has_gradient_0_beside_images_that_have_their_own(r):
    x, target = logits(2), shares(2)
    target[0] = x[0].softmax(0)
    together = x.clone().requires_grad_()
    emd(together, target, r=r).backward()
    assert together.grad[0].tolist() == [0.0] * T
    alone = x[[1]].clone().requires_grad_()
    emd(alone, target[[1]], r=r).backward()
    torch.testing.assert_close(together.grad[1], alone.grad[0] / 2, rtol=1e-12, atol=0)
    assert alone.grad.abs().max() > 1e-3


def test_near_an_exact_fit_the_gradient_keeps_its_length():
    # A small constant under the root would flatten it: 1e-12 there shortens the last two to nothing.
    x = logits(1)
    lengths = []
    for step in (1e-3, 1e-6, 1e-9):
        target = (x + step * logits(1, seed=2)).softmax(1)
        at = x.clone().requires_grad_()
        emd(at, target).backward()
        lengths.append(at.grad.norm().item())
    assert lengths == pytest.approx([lengths[0]] * 3, rel=1e-2)
    assert lengths[0] > 1e-2


# ---- the released code's ----


def test_official_equals_a_sum_by_hand_on_one_image():
    # Cumulated: 0.5 0.7 1.2 (the sum is not 1) against 0.1 0.4 1.0; squares 0.16 0.09 0.04.
    outputs = torch.tensor([[0.5, 0.2, 0.5]], dtype=torch.float64)
    target = torch.tensor([[0.1, 0.3, 0.6]], dtype=torch.float64)
    assert official_emd(outputs, target).item() == pytest.approx(np.sqrt(0.29 / 3), rel=1e-12)
    # No softmax: equal outputs and target are an exact fit, and there emd is not.
    assert official_emd(target, target).item() == 0
    assert emd(target, target).item() > 0.05


def test_official_is_one_root_over_the_batch_not_a_mean_over_images():
    p, target = logits().softmax(1), shares()
    squares = np.cumsum(p.numpy() - target.numpy(), 1) ** 2
    assert official_emd(p, target).item() == pytest.approx(np.sqrt(squares.mean()), rel=1e-12)
    alone = np.mean([official_emd(p[[i]], target[[i]]).item() for i in range(6)])
    assert alone == pytest.approx(emd(p.log(), target).item(), rel=1e-12)
    assert official_emd(p, target).item() > 1.02 * alone


def test_official_gradients():
    p = logits(3).softmax(1).requires_grad_()
    assert torch.autograd.gradcheck(official_emd, (p, shares(3)))
    official_emd(p, p.detach()).backward()
    assert p.grad.abs().max().item() == 0


# ---- scores ----


def test_mse_is_the_mean_of_squares_whatever_the_column():
    outputs, target = torch.tensor([0.1, 0.9, 0.4]), torch.tensor([0.3, 0.5, 0.4])
    assert mse(outputs, target).item() == pytest.approx(0.2 / 3)
    assert mse(outputs[:, None], target).item() == mse(outputs, target).item()


@pytest.mark.parametrize(
    ("outputs", "target"),
    [((4, 10), (4,)), ((4,), (4, 1)), ((4, 1), (3,)), ((1,), (4,)), ((0,), (0,)), ((), ())],
)
def test_mse_never_broadcasts(outputs, target):
    with raises(
        f"the squared error of scores needs outputs of shape (b,) or (b, 1) and a target of shape (b,), got "
        f"{outputs} and {target}; build the model with num_classes=1, and give one score an image"
    ):
        mse(torch.zeros(outputs), torch.zeros(target))


def test_expected_score_is_the_mean_over_bins():
    x = logits()
    p = scipy.special.softmax(x.numpy(), 1)
    np.testing.assert_allclose(expected_score(x), p @ np.arange(1, T + 1), rtol=1e-12)
    bins = torch.linspace(-1, 0.8, T)
    np.testing.assert_allclose(expected_score(x, bins=bins), p @ bins.double().numpy(), rtol=1e-12)


def test_expected_score_without_softmax_is_the_weighted_sum():
    outputs = torch.tensor([[0.5, 0.5, 1.0], [-1.0, 0.0, 0.0]])
    assert expected_score(outputs, softmax=False).tolist() == [4.5, -1.0]
    assert expected_score(outputs, bins=torch.tensor([0.0, 1.0, 2.0]), softmax=False).tolist() == [2.5, 0.0]


# ---- precision ----


@pytest.mark.parametrize("loss", [emd, official_emd])
def test_bfloat16_outputs_lose_no_more_than_their_own_rounding(loss):
    x, target = logits().to(torch.bfloat16), shares().float()
    assert loss(x, target).dtype == torch.float32
    assert loss(x, target).item() == pytest.approx(loss(x.float(), target).item(), rel=1e-6)
    assert expected_score(x).tolist() == expected_score(x.float()).tolist()


def test_a_step_under_autocast_is_finite():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layer = torch.nn.Linear(8, T)
    # Outputs of some hundreds: a softmax in half precision would have exact zeros and ones only.
    x = 300 * torch.from_numpy(np.random.default_rng(4).standard_normal((5, 8))).float()
    with torch.autocast("cpu", torch.bfloat16):
        outputs = layer(x)
        total = emd(outputs, shares(5).float()) + mse(expected_score(outputs) / T, torch.full((5,), 0.5))
        total = total + official_emd(outputs, shares(5).float()) / 100
    assert outputs.dtype == torch.bfloat16
    assert total.dtype == torch.float32
    total.backward()
    assert torch.isfinite(total)
    assert torch.isfinite(layer.weight.grad).all()
    assert layer.weight.grad.abs().max() > 0


# ---- wrong input ----


@pytest.mark.parametrize("loss", [emd, official_emd])
def test_shapes_must_agree(loss):
    with raises(
        "outputs have shape (2, 1), but target distributions (2, 10); build the model with as many outputs "
        "as there are score bins"
    ):
        loss(torch.zeros(2, 1), shares(2))


@pytest.mark.parametrize("shape", [(4, 1), (10,), (0, 10), (2, 3, 4)])
@pytest.mark.parametrize(
    ("what", "call"),
    [
        ("outputs", lambda x: emd(x, x)),
        ("outputs", lambda x: official_emd(x, x)),
        ("outputs", expected_score),
        ("target distributions", check_distributions),
    ],
)
def test_shapes_must_be_images_by_bins(what, call, shape):
    with raises(
        f"{what} have shape {shape}, expected (b, t) with at least 1 image and 2 score bins; "
        f"give one row an image"
    ):
        call(torch.zeros(shape))


def test_bins_must_be_as_many_as_outputs():
    with raises(
        "bins have shape (9,), but outputs of shape (6, 10) need one score for each of 10 bins; "
        "give bins of shape (10,)"
    ):
        expected_score(logits(), bins=torch.arange(9))


def test_order_must_be_a_distance():
    with raises("the earth mover's distance of order r=0.5 is no distance; choose r of at least 1"):
        emd(logits(), shares(), r=0.5)


class NoWaiting(TorchDispatchMode):
    """Refuses the operations that bring a number from the device to the program."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        assert func not in (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default)
        return func(*args, **kwargs or {})


def test_losses_never_wait_for_the_device():
    x, target, scores = logits(), shares(), torch.full((6,), 0.5)
    with NoWaiting():
        emd(x, target)
        emd(x, target, r=1)
        official_emd(x, target)
        mse(scores, scores)
        expected_score(x)
    with pytest.raises(AssertionError), NoWaiting():
        check_distributions(target)


def test_good_distributions_pass():
    check_distributions(shares())
    check_distributions(shares().float().round(decimals=4))
    check_distributions(torch.eye(4, dtype=torch.int64))


@pytest.mark.parametrize(
    ("row", "sum_"),
    [([2, 3, 5], "10"), ([0, 0, 0], "0"), ([0.5, 0.5, 0.0011], "1.0011"), ([0.5, float("nan"), 0.5], "nan")],
)
def test_the_first_row_with_another_sum_is_named(row, sum_):
    target = torch.tensor([[0.5, 0.5, 0.0], row, [9.0, 9.0, 9.0]])
    with raises(
        f"row 1 of the target distributions sums to {sum_}, expected 1; divide its counts by their sum, and "
        f"leave out images that nobody rated"
    ):
        check_distributions(target)


def test_a_negative_share_is_named():
    with raises(
        "row 2 of the target distributions is negative: -0.25 in bin 1, expected shares of at least 0; "
        "give the share of raters in each bin"
    ):
        check_distributions(torch.tensor([[0.5, 0.5], [0.25, 0.75], [1.25, -0.25]]))
