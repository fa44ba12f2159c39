"""Nothing that is tested was learned from: neither by the generic model nor by what adapters begin with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from generic.errors import SplitLeak
from generic.model.generic_model import GenericModel
from generic.model.known_users import user_digest
from protocols.fewshot.evaluate import MakeAdapter
from protocols.splits.split import Split


def check_model(model: GenericModel, digests: Mapping[str, str]) -> bool:
    """Make sure that the generic model was not trained on test images.

    Args:
        model: its header may list the SHA-256 of its training photos under ``training["images_sha256"]``.
        digests: test image -> SHA-256 of its file.

    Returns:
        whether the header has such a list; without one nothing can be said.

    Raises:
        SplitLeak: test images were trained on.
    """
    trained = model.header.training.get("images_sha256")
    if trained is None:
        return False
    known = set(trained)
    leaked = sorted(image for image, digest in digests.items() if digest in known)
    if leaked:
        raise SplitLeak(
            f"model {model.name} {model.hash[:8]} was trained on {len(leaked)} of {len(digests)} test "
            f"images, such as {', '.join(map(repr, leaked[:3]))}; "
            f"evaluate with a model that has not seen them"
        )
    return True


def check_prior(model: GenericModel, split: Split, digests: Mapping[str, str]) -> None:
    """Make sure that neither the model's prior nor its calibration was learned from what is tested.

    Args:
        model: its header may say under ``training["prior_from"]`` whom its prior was learned from, and under
            ``training["calibrated_from"]`` who taught its generic score.
        split: of the test.
        digests: test image -> SHA-256 of its file.

    Raises:
        SplitLeak: test users or test images were learned from.
    """
    for key, what, cure in (
        ("prior_from", "prior", "learn it without them: piaa models learn-prior"),
        ("calibrated_from", "calibration", "calibrate without them: piaa calibrate"),
    ):
        trained, whose = (
            model.header.training.get(key, {}),
            f"the {what} of model {model.name} {model.hash[:8]}",
        )
        _check(trained, split, digests, what=whose, cure=cure)


def check_starts(adapters: Mapping[str, MakeAdapter], split: Split, digests: Mapping[str, str]) -> None:
    """Make sure that what adapters begin with was not learned from test users or test images.

    Args:
        adapters: how to make each adapter, by name; it says what it was trained on.
        split: of the test.
        digests: test image -> SHA-256 of its file.

    Raises:
        SplitLeak: test users or test images were learned from.
    """
    for name, make in adapters.items():
        _check(
            make().trained_on,
            split,
            digests,
            what=f"the start of adapter {name!r}",
            cure="meta-train without them",
        )


def _check(
    trained: Mapping[str, Any], split: Split, digests: Mapping[str, str], *, what: str, cure: str
) -> None:
    same = trained.get("dataset") == split.dataset
    named, digests_of = (set(trained.get(key, ()) if same else ()) for key in ("users", "users_sha256"))
    known = set(trained.get("images_sha256", ()))
    tested = {user: user_digest(split.dataset, user) for user in split.test_users}
    users = sorted(user for user, digest in tested.items() if user in named or digest in digests_of)
    for kind, leaked, n_test in (
        ("users", users, len(split.test_users)),
        ("images", sorted(image for image, digest in digests.items() if digest in known), len(digests)),
    ):
        if leaked:
            raise SplitLeak(
                f"{what} was learned from {len(leaked)} of {n_test} test {kind}, "
                f"such as {', '.join(map(repr, leaked[:3]))}; {cure}"
            )
