"""What keeps a personal ranking from being better: the generic score, the embedding, or the adapter.

    uv run --group train python benchmarks/what_limits.py ROOT --models runs/lite --out runs/what-limits

Every person of each OASIS list left out, adapter ``bayes``, with

- the model as it is;
- twelve numbers more in the embedding: what a tuned branch says of the directions of taste that it was
  trained on (``piaa/ratings/tastes.py``); the prior is learned from what branches say that have not seen the
  photo;
- the mean of other people of the same list in the place of the generic score, which no model can know: of one
  half of the people for the other half, so that nobody's own ratings are in it;
- that mean alone, without personalisation.

All else is equal. Five branches a list are trained, eight minutes on one thread; they are kept in ``--out``.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from oasis import LISTS, Oasis, load_oasis
from oasis_people import bootstrap, vectors
from oasis_sides import WITHOUT, Lists, load_lists
from record import table, tell, write_result
from threadpoolctl import threadpool_limits
from torch import Tensor
from train_piaa_lite import HISTORY, N_TASTES, config_for, learn_taste_prior, unit_means

from generic.atomic import write_bytes
from generic.lite.piaa_lite import TunedBranch
from generic.lite.train import LiteConfig, imagenet_stems, split_folds, stem_maps
from generic.lite.tune import Tuner, mean_weights
from generic.metrics import spearman
from generic.model.checkpoint import load_checkpoint
from generic.model.generic_model import GenericModel
from generic.photos.open import load_pixels
from generic.seeds import stream
from piaa.adapters.prior import Prior
from piaa.adapters.registry import ADAPTERS
from piaa.ratings.tastes import taste_directions

Array = NDArray[np.float64]
SHOTS = (10, 100)


class WholeTuner(Tuner):
    """A tuner that keeps the outputs for directions of taste."""

    def _finished(self, branches: Sequence[TunedBranch], _scores: Array) -> TunedBranch:
        mean = mean_weights(branches)
        branch = self.start(len(mean["out.bias"])).requires_grad_(requires_grad=False)
        branch.load_state_dict(mean)
        return branch


def tastes_said(branch: TunedBranch, middle: Tensor) -> Array:
    """Outputs for the directions of taste, mean of both sides, shape (n, t)."""
    with torch.inference_mode():
        sides = [
            torch.cat([branch(part.float())[:, 1:] for part in middle[:, side].split(32)]) for side in (0, 1)
        ]
    return torch.stack(sides).mean(0).double().numpy()


class Branches:
    """What tuned branches say of the directions of taste.

    Args:
        data: the photos.
        lists: the same, as ``protocols`` sees them.
        folder: keeps what is done.
    """

    def __init__(self, data: Oasis, lists: Lists, folder: Path) -> None:
        self._data, self._lists, self._folder = data, lists, folder
        self._stems = imagenet_stems(LiteConfig())

    @cached_property
    def _middle(self) -> Tensor:
        photos = np.stack([load_pixels(path, LiteConfig().size) for path in self._data.paths])
        return stem_maps(self._stems.stem, photos).middle

    def said(self, left_out: int) -> Array:
        """Of all photos, shape (n, t): where the branch could have seen one, by a branch that has not."""
        file = self._folder / f"tastes-without-{left_out}.npy"
        if not file.exists():
            buffer = io.BytesIO()
            np.save(buffer, self._train(left_out))
            write_bytes(file, buffer.getvalue())
        said = np.load(file)
        known = said[self._data.lists != left_out]
        return np.asarray((said - known.mean(0)) / known.std(0))

    def _train(self, left_out: int) -> Array:
        ratings = self._lists.learned_from(WITHOUT[left_out])
        photos = sorted(set(ratings.images))
        config = config_for(len(photos))
        tastes = taste_directions(ratings, photos, N_TASTES)
        targets = np.concatenate((unit_means(ratings, photos)[:, None], tastes), 1)
        tuner = WholeTuner(self._stems.late, size=config.size, config=config.tune, seed=config.seed)
        rows = np.flatnonzero(self._data.lists != left_out)
        said = np.zeros((len(self._data.names), tastes.shape[1]))
        for number, held in enumerate(split_folds(len(rows), config)):
            rest = np.setdiff1d(np.arange(len(rows)), held)
            branch = tuner.train(self._middle[rows[rest]], targets[rest], f"fold {number}", runs=1)
            said[rows[held]] = tastes_said(branch, self._middle[rows[held]])
            tell(f"without list {left_out}, fold {number + 1}")
        new = np.flatnonzero(self._data.lists == left_out)
        branch = tuner.train(self._middle[rows], targets, "all", runs=config.tune.runs)
        said[new] = tastes_said(branch, self._middle[new])
        return said


def crowd_means(data: Oasis, people: Sequence[str]) -> Array:
    """Mean unit score of each photo over these people, NaN where none rated it, shape (n,)."""
    totals, counts = np.zeros((2, len(data.names)))
    for user in people:
        rows, scores = data.users[user]
        totals[rows] += scores
        counts[rows] += 1
    return np.divide(totals, counts, out=np.full(len(totals), np.nan), where=counts > 0)


def test(
    data: Oasis, users: Sequence[str], matrix: Array, prior: Prior, name: str, repeats: int
) -> dict[int, Array]:
    """SRCC of each user, mean over repeats, by k; supports as in ``oasis_protocol.py``."""
    found = {}
    for k in SHOTS:
        srcc = np.full((repeats, len(users)), np.nan)
        for repeat in range(repeats):
            for place, user in enumerate(users):
                rows, scores = data.users[user]
                order = stream(0, "kshot", "oasis", user, repeat).permutation(len(rows))
                adapter = ADAPTERS[name](prior).fit(matrix[rows[order[:k]]], scores[order[:k]])
                predicted = adapter.predict(matrix[rows[order[k:]]])
                srcc[repeat, place] = spearman(predicted.score, scores[order[k:]])
        found[k] = np.nanmean(srcc, axis=0)
    return found


def measure(
    data: Oasis, lists: Lists, model: GenericModel, branches: Branches, number: int, given: argparse.Namespace
) -> dict[str, Any]:
    """Variant -> k -> mean over users and its interval."""
    matrix = vectors(model, data, given.out).astype(np.float64)
    ratings = lists.learned_from(WITHOUT[number])
    photos, learned = sorted(set(ratings.images)), data.lists != number
    out_of_fold = load_checkpoint(model.path)[1][HISTORY + "out_of_fold"]
    prior = learn_taste_prior(ratings, photos, matrix[learned], out_of_fold)
    more = np.concatenate((matrix[:, :1], branches.said(number), matrix[:, 1:]), axis=1)
    tasting = learn_taste_prior(ratings, photos, more[learned], out_of_fold)
    known = matrix.copy()
    known[learned, 0] = unit_means(ratings, photos)
    # As good a score as the crowd's mean errs by as little on the photos that the prior is learned from.
    knowing = learn_taste_prior(ratings, photos, known[learned], known[learned, 0])

    users = data.users_of(number)
    shuffled = stream(0, "halves", number).permutation(len(users))
    halves = [[users[place] for place in half] for half in np.array_split(shuffled, 2)]
    found: dict[str, dict[int, list[Array]]] = {}
    for people, others in (halves, halves[::-1]):
        known[~learned, 0] = crowd_means(data, others)[~learned]
        for name, parts in {
            "generic score alone": (matrix, prior, "generic"),
            "`bayes`, as shipped": (matrix, prior, "bayes"),
            "`bayes`, outputs for tastes in the embedding": (more, tasting, "bayes"),
            "others' mean alone": (known, knowing, "generic"),
            "`bayes`, others' mean as the generic score": (known, knowing, "bayes"),
        }.items():
            for k, srcc in test(data, people, *parts, given.repeats).items():
                found.setdefault(name, {}).setdefault(k, []).append(srcc)
            tell(f"list {number}, {name}: {np.nanmean(found[name][SHOTS[-1]][-1]):.4f}")
    return {
        name: {
            str(k): {
                "srcc": float(np.nanmean(np.concatenate(srcc))),
                "interval": bootstrap(np.concatenate(srcc), number, name, k),
            }
            for k, srcc in by_k.items()
        }
        for name, by_k in found.items()
    }


def markdown(found: dict[str, Any]) -> str:
    """One row a variant, two columns a list."""
    variants = next(iter(found.values()))
    rows = [
        [name, *(f"{found[number][name][str(k)]['srcc']:.3f}" for number in found for k in SHOTS)]
        for name in variants
    ]
    return table(("score and embedding", *(f"list {n}, k = {k}" for n in found for k in SHOTS)), rows)


def main() -> None:
    """Train, measure, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="folder of the data set")
    parser.add_argument("--models", type=Path, default=Path("runs/lite"))
    parser.add_argument("--out", type=Path, default=Path("runs/what-limits"))
    parser.add_argument("--repeats", type=int, default=2)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    data, lists = load_oasis(given.root), load_lists(given.root)
    branches = Branches(data, lists, given.out)
    found = {}
    for number in LISTS:
        model = GenericModel(given.models / f"{WITHOUT[number]}.safetensors")
        with threadpool_limits(limits=1):
            found[str(number)] = measure(data, lists, model, branches, number, given)
    command = f"python benchmarks/what_limits.py ROOT --models runs/lite --repeats {given.repeats}"
    text = markdown(found)
    write_result("what_limits", command, {"lists": found, "markdown": text})
    print(text)


if __name__ == "__main__":
    main()
