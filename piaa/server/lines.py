"""What everybody's scores become in an answer: in her own scale, and why there are none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from generic.cache.features import Features
from generic.errors import ImageError
from piaa.adapters.prediction import Prediction, bend
from piaa.ratings.scale import Scale
from piaa.server.embedder import Looked
from piaa.server.schemas import Asked, ImageResult
from piaa.server.scorers import Units
from piaa.server.served import Served
from piaa.store.serving import Active

Line: TypeAlias = dict[str, Any]
"""One user's scores, as :class:`piaa.server.schemas.UserScores` has them: for ten thousand users its objects
take longer than the scores."""
Values: TypeAlias = list[float | None]


class Look:
    """What one model saw of the images of a request.

    Args:
        served: the model.
        seen: as :func:`piaa.server.scoring.see` gives it.
    """

    def __init__(self, served: Served, seen: Sequence[tuple[ImageResult, Looked]]) -> None:
        self.served = served
        self.images = [image for image, _ in seen]
        self.readable = np.array([image.problem is None for image in self.images])
        low, high = served.model.generic.header.scale
        self.scale = float(low), float(high)
        good = [one.outcome for _, one in seen if not isinstance(one.outcome, ImageError)]
        self.features: Features | None = np.stack(good) if good else None


def lines_of(
    look: Look, users: Mapping[str, Active | None], asked: Asked, tuned: Mapping[str, Prediction | str]
) -> dict[str, Line]:
    """The scores of users of one model.

    Args:
        look: the images.
        users: who, and the version that counts; None for the generic score.
        asked: the request.
        tuned: predictions that were made already, or why there are none.
    """
    features, scorers = look.features, look.served.scorers
    fitted = [one for user, one in users.items() if one is not None and user not in tuned]
    found: dict[str, Prediction | str] = dict(tuned)
    units = Units()
    if features is not None and asked.intervals:
        found |= {one.user: scorers.tried(one, features) for one in fitted}
    elif features is not None and fitted:
        units = scorers.unit_scores(fitted, features, exact=asked.exact)
        found |= units.broken
    for user, one in users.items():
        prediction = found.get(user)
        if isinstance(prediction, Prediction):
            units.add([user], prediction.score[None])
        elif one is None and features is not None:
            units.add([user], bend(features[None, :, 0]))
    scores = _in_scales(look, users, units)
    lines = {user: _line(look, user, one, scores.get(user)) for user, one in users.items()}
    for user in units.inexact:
        lines[user]["exact"] = False
    for user, prediction in found.items():
        lines[user] |= _more(look, lines[user]["scale"], prediction, intervals=asked.intervals)
    return lines


def _in_scales(look: Look, users: Mapping[str, Active | None], units: Units) -> dict[str, Values]:
    """Everybody's scores in her own scale."""
    names = list(units.rows)
    rows: dict[tuple[float, float], list[int]] = {}
    for place, user in enumerate(names):
        active = users[user]
        rows.setdefault(active.scale if active else look.scale, []).append(place)
    found: dict[str, Values] = {}
    for scale, places in rows.items():
        values = _spread(look, Scale(*scale).from_unit(units.scores[places]))
        found |= zip([names[place] for place in places], values, strict=True)
    return found


def _line(look: Look, user: str, active: Active | None, scores: Values | None) -> Line:
    return {
        "user": user,
        "version": active.version if active else None,
        "model_hash": look.served.hash,
        "fallback": active is None,
        "scale": active.scale if active else look.scale,
        "scores": scores or [None] * len(look.readable),
        "low": None,
        "high": None,
        "exact": True,
        "problem": _unseen_by(look),
    }


def _unseen_by(look: Look) -> str | None:
    """Why somebody has no scores, if her model has seen none of the images; another one may have."""
    return look.images[0].problem if look.features is None else None


def _more(look: Look, scale: tuple[float, float], one: Prediction | str, *, intervals: bool) -> Line:
    """Of one user the ends of her intervals if they were asked for, or why she has no scores."""
    if isinstance(one, str):
        return {"problem": one}
    if not intervals:
        return {}
    ends = _spread(look, Scale(*scale).from_unit(np.stack([one.low, one.high])))
    return dict(zip(("low", "high"), ends, strict=True))


def _spread(look: Look, scores: NDArray[np.float64]) -> list[Values]:
    """Scores of the readable images, shape (u, n), with null for the images that have none."""
    if not look.readable.all():
        spread = np.full((len(scores), len(look.readable)), None, dtype=object)
        spread[:, look.readable] = scores
        scores = spread
    values: list[Values] = scores.tolist()
    return values
