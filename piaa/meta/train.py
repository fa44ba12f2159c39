"""Meta-training: learn where a person should begin, so that a few steps on her ratings suffice.

One epoch visits every training user once, with a fresh support and query. Her targets are measured
from the mean of each photo's other raters, not from the generic score: what the generic model gets wrong
on these photos is wrong for everybody, and would pass for a taste that all people share. Held-out users
are predicted on held-out photos from the generic score, as a new person will be.

Everything depends on names alone (:mod:`generic.seeds`), and the state is written down after every
epoch: a run that was killed goes on, and ends with the same bits.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from generic.errors import CheckpointError, TooFewRatings
from generic.model.checkpoint import Header, load_checkpoint, save_checkpoint
from generic.progress import Progress, no_progress
from generic.seeds import stream
from generic.words import counted
from piaa.meta.choose import attempt, choose, possible
from piaa.meta.config import MetaConfig
from piaa.meta.crowd import Crowd
from piaa.meta.episodes import N_HELD, Rater, check_shots, draw, hold_out
from piaa.meta.head import Standard
from piaa.meta.learner import Head, Learner
from piaa.meta.start import Start

PROGRESS = ".progress"
"""Suffix of the file that a run goes on from, beside the file to be."""
_KIND = "meta-progress"
_PATIENCE = 6
_SUPPORT_FOR_STOPPING = 30


class MetaTraining:
    """One run.

    Args:
        vectors: model vectors of the training photos, shape (n, 1 + d); generic scores as of photos that
            the model has not seen, or intervals will be too narrow.
        people: each training user's name, photos (rows of ``vectors``) and unit scores.
        config: settings.
        model_hash: of the generic model.
        origin: what the file will say of its data, as JSON can hold it.

    Raises:
        TooFewRatings: a user has too few, or there are too few users.
        MissingPackage: learn2learn is not installed.
    """

    def __init__(
        self,
        vectors: NDArray[Any],
        people: Sequence[tuple[str, NDArray[np.intp], NDArray[Any]]],
        config: MetaConfig,
        *,
        model_hash: str,
        origin: Mapping[str, Any],
    ) -> None:
        self.config, self.model_hash, self.origin = config, model_hash, dict(origin)
        self._vectors = np.asarray(vectors, dtype=np.float64)
        self._standard = Standard.of(self._vectors)
        generic = self._vectors[:, 0]
        raters = [
            Rater(name=name, rows=rows, targets=scores - generic[rows]) for name, rows, scores in people
        ]
        check_shots({rater.name: len(rater.rows) for rater in raters}, config.shots)
        training, self._held = hold_out(
            raters,
            len(self._vectors),
            users=config.held_users,
            photos=config.held_photos,
            shots=config.shots[0],
            seed=config.seed,
        )
        if len(training) < N_HELD or len(self._held) < N_HELD:
            raise TooFewRatings(
                f"meta-training holds {config.held_photos:.0%} of the photos out, which leaves "
                f"{counted(len(training), 'user')} to learn from and {len(self._held)} to stop by, but needs "
                f"{N_HELD} and {N_HELD}; give more ratings, or lower --shots"
            )
        self._training, self._crowd = training, Crowd(len(self._vectors), training)
        self._learner = self._fresh()
        self._adam = torch.optim.Adam(self._learner.parameters(), lr=config.meta_rate)
        self._best = self._snapshot()
        self._history: list[float] = []

    def _fresh(self) -> Learner:
        config, rng = self.config, stream(self.config.seed, "meta", "weights")
        head = Head(self._vectors.shape[1], config.units).double()
        with torch.no_grad():
            for parameter in head.parameters():
                parameter.zero_()
            draw = rng.normal(0, 0.06, tuple(head.body.weight.shape))
            head.body.weight.copy_(torch.from_numpy(draw))
        return Learner(
            config.algorithm, head, rate=config.rate, first_order=config.first_order, caution=config.caution
        )

    def run(self, out: Path, *, progress: Progress = no_progress) -> Start:
        """Train, choose, write the file; goes on from ``out`` + ``PROGRESS`` if that is there.

        Args:
            out: the start's file.
            progress: called with the number of epochs newly done, ``config.epochs`` in all.

        Raises:
            CheckpointError: there is progress of another run, or it is damaged.
            OutputError: a file cannot be written.
        """
        kept = out.with_name(out.name + PROGRESS)
        self._resume(kept)
        progress(len(self._history))
        while len(self._history) < self.config.epochs and not self._tired():
            self._epoch(len(self._history))
            self._history.append(self._error())
            if self._history[-1] == min(self._history):
                self._best = self._snapshot()
            self._keep(kept)
            progress(1)
        progress(self.config.epochs - len(self._history))
        start = self._finish().save(out)
        kept.unlink(missing_ok=True)
        return start

    def _tired(self) -> bool:
        return len(self._history) - 1 - int(np.argmin(self._history or [0])) >= _PATIENCE

    def _epoch(self, number: int) -> None:
        config = self.config
        rng = stream(config.seed, "meta", "epoch", number)
        order = rng.permutation(len(self._training))
        for begin in range(0, len(order), config.batch):
            some = [self._training[place] for place in order[begin : begin + config.batch]]
            loss = torch.stack([self._loss(rater, rng) for rater in some]).mean()
            self._adam.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self._learner.parameters(), 1.0)
            self._adam.step()

    def _loss(self, rater: Rater, rng: np.random.Generator) -> Tensor:
        """Mean squared error of a user's query after the inner steps on her support."""
        episode = draw(rater, self.config.shots, rng)
        k = len(episode.support[0])
        rows, targets = (np.concatenate(pair) for pair in zip(episode.support, episode.query, strict=True))
        others = self._crowd.without(rows, targets)
        seen = self._vectors[rows]
        seen[:, 0] += others
        blur = self.config.noise * rng.standard_normal(seen.shape)
        blur[:, 0] = 0.0
        z = torch.from_numpy(self._standard(seen) + blur)
        wanted = torch.from_numpy(targets - others)
        person = self._learner.adapt(z[:k], wanted[:k], self.config.steps)
        return ((person(z[k:]) - wanted[k:]) ** 2).mean()

    def _error(self) -> float:
        """Mean squared error of held-out users, for stopping."""
        ks = possible(self._held, self.config.shots)
        k = min(ks, key=lambda each: abs(each - _SUPPORT_FOR_STOPPING))
        trial = attempt(
            self._held,
            self._vectors,
            self._standard,
            self._learner.weights(),
            self._learner.rates(),
            k=k,
            steps=self.config.steps,
            caution=self.config.caution,
            seed=self.config.seed,
        )
        return float(trial.query.mean())

    def _finish(self) -> Start:
        self._load(self._best)
        weights, rates = self._learner.weights(), self._learner.rates()
        choices, figures = choose(
            self._held,
            self._vectors,
            self._standard,
            weights,
            rates,
            shots=self.config.shots,
            seed=self.config.seed,
        )
        training = {
            **self.origin,
            "config": asdict(self.config),
            "n_users": {"trained": len(self._training), "held_out": len(self._held)},
            "held_out_error": self._history,
            "epoch": int(np.argmin(self._history)) + 1,
        }
        return Start(
            algorithm=self.config.algorithm,
            model_hash=self.model_hash,
            weights=weights,
            rates=rates,
            standard=self._standard,
            choices=choices,
            training=training,
            figures={"held-out training users, held-out photos": figures},
        )

    # ---- going on after a stop ----

    def _snapshot(self) -> dict[str, Tensor]:
        return {key: value.detach().clone() for key, value in self._learner.state_dict().items()}

    def _load(self, state: Mapping[str, Tensor]) -> None:
        self._learner.load_state_dict(dict(state))

    def _identity(self) -> str:
        """Of everything that the numbers depend on."""
        digest = hashlib.sha256(json.dumps([asdict(self.config), self.model_hash], sort_keys=True).encode())
        digest.update(self._vectors.tobytes())
        for rater in (*self._training, *(part for held in self._held for part in (held.rater, held.query))):
            digest.update(rater.name.encode() + rater.rows.tobytes() + rater.targets.tobytes())
        return digest.hexdigest()

    def _keep(self, path: Path) -> None:
        tensors = {f"now.{key}": value for key, value in self._snapshot().items()}
        tensors |= {f"best.{key}": value for key, value in self._best.items()}
        for number, state in self._adam.state_dict()["state"].items():
            tensors |= {f"adam.{number}.{key}": value for key, value in state.items()}
        header = Header(
            name=_KIND,
            architecture={"kind": _KIND, "run": self._identity(), "history": self._history},
            scale=(0.0, 1.0),
        )
        save_checkpoint(path, header, {key: value.numpy() for key, value in tensors.items()})

    def _resume(self, path: Path) -> None:
        if not path.exists():
            return
        try:
            header, tensors = load_checkpoint(path)
        except CheckpointError as error:
            raise CheckpointError(f"progress file {path} is damaged; delete it to begin anew") from error
        if header.architecture.get("run") != self._identity():
            raise CheckpointError(
                f"progress file {path} is of another run, with other data or settings; "
                f"delete it, or name another file with --out"
            )
        state = {key: torch.from_numpy(value.copy()) for key, value in tensors.items()}
        self._load(_under(state, "now."))
        self._best = _under(state, "best.")
        adam = self._adam.state_dict()
        for name, value in _under(state, "adam.").items():
            number, key = name.split(".", 1)
            adam["state"].setdefault(int(number), {})[key] = value
        self._adam.load_state_dict(adam)
        self._history = list(header.architecture["history"])


def _under(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
