"""Learn one person's taste in photographs from 10 to 100 ratings; rank any photos for that person.

Example:
    ::

        import piaa

        model = piaa.load_model()
        ana = model.fit_user("ratings.csv", images="photos/", scale=(1, 5), user="ana")
        ana.score("photos/")                     # DataFrame: image, score, low, high, generic, sure
        ana.save()
        piaa.load_model().load("ana")
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import generic

if TYPE_CHECKING:
    from generic.errors import CacheError as CacheError
    from generic.errors import CheckpointError as CheckpointError
    from generic.errors import ClusterError as ClusterError
    from generic.errors import DatasetError as DatasetError
    from generic.errors import EngineError as EngineError
    from generic.errors import ImageError as ImageError
    from generic.errors import MissingPackage as MissingPackage
    from generic.errors import ModelMismatch as ModelMismatch
    from generic.errors import NotFitted as NotFitted
    from generic.errors import OutputError as OutputError
    from generic.errors import PiaaError as PiaaError
    from generic.errors import RatingsError as RatingsError
    from generic.errors import ScaleError as ScaleError
    from generic.errors import ShapeError as ShapeError
    from generic.errors import SplitLeak as SplitLeak
    from generic.errors import StarsError as StarsError
    from generic.errors import StoreError as StoreError
    from generic.errors import StoreUnavailable as StoreUnavailable
    from generic.errors import TooFewRatings as TooFewRatings
    from generic.errors import TooLarge as TooLarge
    from generic.errors import TrainingError as TrainingError
    from generic.errors import UnknownUser as UnknownUser
    from piaa.adapters.base import Adapter as Adapter
    from piaa.adapters.prediction import Prediction as Prediction
    from piaa.adapters.registry import adapter_names as adapter_names
    from piaa.people.model import Model as Model
    from piaa.people.model import load_model as load_model
    from piaa.people.person import Person as Person
    from piaa.ratings.scale import Scale as Scale
    from piaa.ratings.table import Ratings as Ratings
    from piaa.server.client import Client as Client
    from piaa.server.client import ServerError as ServerError

if Path(generic.__file__ or "").parent.parent != Path(__file__).parent.parent:
    raise ImportError(
        f"piaa needs its own package 'generic', but Python found {generic.__file__}; "
        f"install piaa in a virtual environment of its own, without the PyPI package 'generic'"
    )

__version__ = "0.1.0"

_HOMES = {
    "piaa.adapters.base": ("Adapter",),
    "piaa.adapters.prediction": ("Prediction",),
    "piaa.adapters.registry": ("adapter_names",),
    "piaa.people.model": ("Model", "load_model"),
    "piaa.people.person": ("Person",),
    "piaa.ratings.scale": ("Scale",),
    "piaa.ratings.table": ("Ratings",),
    "piaa.server.client": ("Client", "ServerError"),
    "generic.errors": (
        "CacheError",
        "CheckpointError",
        "ClusterError",
        "DatasetError",
        "EngineError",
        "ImageError",
        "MissingPackage",
        "ModelMismatch",
        "NotFitted",
        "OutputError",
        "PiaaError",
        "RatingsError",
        "ScaleError",
        "ShapeError",
        "SplitLeak",
        "StarsError",
        "StoreError",
        "StoreUnavailable",
        "TooFewRatings",
        "TooLarge",
        "TrainingError",
        "UnknownUser",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for: ``import piaa`` stays quick."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'piaa' has no attribute {name!r}")
    from importlib import import_module

    from generic.extras import needing

    with needing(f"piaa.{name}"):
        return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    """What completion in a shell shows."""
    return sorted({*globals(), *__all__})
