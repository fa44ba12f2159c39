"""The tuned branch: what may change in training, what its runs share, and that it learns."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from generic.lite.stems import TUNED, Late, fold, fold_head
from generic.lite.tune import TuneConfig, Tuner, _goals, predict

CONFIG = TuneConfig(eat_dims=(32, 32), k_in=2, epochs=3, batch=8, rate=1e-3, head_rate=1e-2)
N = 16


@pytest.fixture(scope="module")
def late():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        late = Late(TUNED).eval()
    fold(late)
    fold_head(late)
    return late


@pytest.fixture(scope="module")
def middle():
    generator = torch.Generator().manual_seed(1)
    base = torch.rand(N, 1, 120, 1, 1, generator=generator) * 3
    return (base + torch.rand(N, 2, 120, 4, 4, generator=generator)).bfloat16()


@pytest.fixture(scope="module")
def scores(middle):
    """What one channel of the maps says."""
    said = middle.float().mean((1, 3, 4))[:, 5].double().numpy()
    return 0.4 + 0.1 * (said - said.mean()) / said.std()


def tuner(late, seed=0, **changes):
    return Tuner(late, size=64, config=dataclasses.replace(CONFIG, **changes), seed=seed)


def test_goals_weigh_the_score_as_one_and_all_known_tastes_together():
    targets = np.array([[0.2, 1.0, -1.0, np.nan], [0.4, -1.0, np.nan, np.nan], [0.6, np.nan, np.nan, np.nan]])
    goals, weights = _goals(targets, 0.3)
    np.testing.assert_allclose(goals[:, 0], [-(1.5**0.5), 0, 1.5**0.5], atol=1e-6)
    np.testing.assert_allclose(goals[:, 1:], [[1, -1, 0], [-1, 0, 0], [0, 0, 0]])
    np.testing.assert_allclose(weights, [[1, 0.15, 0.15, 0], [1, 0.3, 0, 0], [1, 0, 0, 0]], atol=1e-7)


def test_scores_that_are_all_the_same_divide_by_nothing():
    goals, _ = _goals(np.full((3, 1), 0.7), 0.3)
    np.testing.assert_allclose(goals, 0, atol=1e-6)


def test_the_start_says_zero_and_is_the_same_for_every_run(late, middle):
    start, again = tuner(late).start(3), tuner(late).start(3)
    assert (start(middle[:, 0].float()) == 0).all()
    assert start(middle[:, 0].float()).shape == (N, 3)
    state, other = start.state_dict(), again.state_dict()
    assert all(torch.equal(state[key], other[key]) for key in state)
    assert not torch.equal(tuner(late, seed=1).start(3).eat.enter[0].weight, start.eat.enter[0].weight)


def test_training_changes_all_but_the_depthwise_filters_and_leaves_the_start_alone(late, middle, scores):
    before = {key: value.clone() for key, value in late.state_dict().items()}
    branch = tuner(late).train(middle, scores[:, None], "one", runs=1)
    after = late.state_dict()
    assert all(torch.equal(after[key], before[key]) for key in before)
    start = tuner(late).start(1).state_dict()
    same = {key for key, value in branch.state_dict().items() if torch.equal(value, start[key])}
    depthwise = {key for key in start if key.startswith("late.") and ".conv_dw." in key}
    assert len(depthwise) == 2 * 6  # weight and bias of each block
    assert same == depthwise
    assert not any(parameter.requires_grad for parameter in branch.parameters())
    assert not branch.training
    assert all(isinstance(block.conv_dw, nn.Conv2d) for block in branch.late.tapped())


class Watched(Tuner):
    """A tuner whose branch tells what reaches its heads and how far along its EAT stages believe to be."""

    def __init__(self, late, **changes):
        super().__init__(late, size=64, config=dataclasses.replace(CONFIG, **changes), seed=0)
        self.heads, self.progress = {"out": [], "eat_out": []}, []

    def start(self, n_out):
        branch = super().start(n_out)
        for name, seen in self.heads.items():
            getattr(branch, name).register_forward_pre_hook(
                lambda _, args, seen=seen: seen.append(args[0].detach().clone())
            )
        points = [module for module in branch.eat.modules() if hasattr(module, "progress")]
        branch.eat.register_forward_pre_hook(
            lambda *_: self.progress.append({float(p.progress) for p in points})
        )
        return branch


@pytest.mark.parametrize("head", ["out", "eat_out"])
def test_training_drops_the_wanted_part_of_the_features_of_each_head(late, middle, scores, head):
    seen = {}
    for dropout in (0.0, 0.3):
        watched = Watched(late, dropout=dropout)
        watched.train(middle, scores[:, None], "name", runs=1)
        seen[dropout] = watched.heads[head][0]  # the first step, before any weight differs
    whole, dropped = seen[0.0], seen[0.3]
    kept = dropped != 0
    torch.testing.assert_close(dropped[kept], whole[kept] / 0.7)
    assert 0.2 < 1 - kept[whole != 0].float().mean() < 0.4


def test_each_epoch_tells_the_eat_stages_how_much_of_the_training_is_over(late, middle, scores):
    watched = Watched(late, epochs=4)
    watched.train(middle, scores[:, None], "name", runs=1)
    assert watched.progress == [{epoch / 4} for epoch in range(4) for _ in range(N // CONFIG.batch)]


def test_no_step_follows_a_gradient_longer_than_one(late, middle, scores):
    lengths = []

    def measure(optimiser, *_):
        gradients = [p.grad for group in optimiser.param_groups for p in group["params"]]
        lengths.append(float(torch.cat([g.flatten() for g in gradients if g is not None]).norm()))

    hook = register_optimizer_step_pre_hook(measure)
    try:
        tuner(late).train(middle, scores[:, None], "name", runs=1)
    finally:
        hook.remove()
    assert max(lengths) == pytest.approx(1, abs=1e-4)  # of the first steps, which are longer as they come


def test_several_runs_are_averaged_weight_by_weight(late, middle, scores):
    one = tuner(late).train(middle, scores[:, None], "name", runs=1).state_dict()
    both = tuner(late).train(middle, scores[:, None], "name", runs=2).state_dict()
    three = tuner(late).train(middle, scores[:, None], "name", runs=3).state_dict()
    # runs 0; 0 and 1; 0, 1 and 2: the second alone is 2 both - one, the third 3 three - 2 both.
    second = {key: 2 * both[key] - one[key] for key in one}
    third = {key: 3 * three[key] - 2 * both[key] for key in one}
    key = "late.conv_head.weight"
    spread = (one[key] - second[key]).abs().max()
    assert spread > 1e-5
    assert (third[key] - second[key]).abs().max() > 1e-5
    np.testing.assert_allclose(three[key], (one[key] + second[key] + third[key]) / 3, atol=1e-6)


def test_tastes_change_what_is_learned_but_not_the_number_of_outputs(late, middle, scores):
    tastes = np.stack((np.tile([1.0, -1.0], N // 2), np.repeat([1.0, -1.0], N // 2)), 1)
    with_tastes = np.concatenate((scores[:, None], tastes), 1)
    plain = tuner(late).train(middle, scores[:, None], "name", runs=1)
    helped = tuner(late).train(middle, with_tastes, "name", runs=1)
    assert helped(middle[:, 0].float()).shape == (N, 1)
    key = "late.conv_head.weight"
    assert not torch.equal(helped.state_dict()[key], plain.state_dict()[key])


def test_the_branch_learns(late, middle, scores):
    branch = tuner(late, epochs=15, dropout=0.0).train(middle, scores[:, None], "name", runs=1)
    predicted = predict(branch, middle)
    assert predicted.shape == (N,)
    assert np.corrcoef(predicted, scores)[0, 1] > 0.9
    assert np.abs(predicted.mean() - scores.mean()) < 0.05


def test_a_prediction_is_the_mean_of_both_sides(late, middle, scores):
    branch = tuner(late).train(middle, scores[:, None], "name", runs=1)
    with torch.no_grad():
        sides = [branch(middle[:, side].float())[:, 0].numpy() for side in (0, 1)]
    np.testing.assert_allclose(predict(branch, middle), np.mean(sides, 0), rtol=1e-4, atol=1e-5)
