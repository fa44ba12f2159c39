"""Learn one person's taste in photographs from 10 to 100 ratings; rank any photos for that person.

Example:
    ::

        import piaa

        model = piaa.load_model()
        ana = model.fit_user("ratings.csv", images="photos/", scale=(1, 5), user="ana")
        ana.score("photos/")                     # DataFrame: image, score, low, high, generic
        ana.save()
        piaa.load_model().load("ana")
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import generic

if TYPE_CHECKING:
    from piaa.people.model import Model
    from piaa.people.person import Person
    from piaa.ratings.scale import Scale
    from piaa.ratings.table import Ratings

if Path(generic.__file__ or "").parent.parent != Path(__file__).parent.parent:
    raise ImportError(
        f"piaa needs its own package 'generic', but Python found {generic.__file__}; "
        f"install piaa in a virtual environment of its own, without the PyPI package 'generic'"
    )

__version__ = "0.1.0"
__all__ = ["Model", "Person", "Ratings", "Scale", "load_model"]

_HOMES = {
    "Model": "piaa.people.model",
    "Person": "piaa.people.person",
    "Ratings": "piaa.ratings.table",
    "Scale": "piaa.ratings.scale",
}


def load_model(
    name: str | Path = "piaa-lite", *, cache: str | Path | bool = True, max_pixels: int | None = None
) -> Model:
    """A generic model, ready to fit and score persons; needs no network.

    Args:
        name: an embedded model's name, or a model file.
        cache: a folder for the feature cache; True is the user's own, False remembers nothing.
        max_pixels: photos with more pixels are refused.

    Raises:
        CheckpointError: there is no such model, or the file is damaged.
    """
    from generic.cache.features import default_cache_folder
    from generic.model.generic_model import GenericModel
    from generic.model.registry import find_model
    from piaa.people.model import Model, Settings

    folder = default_cache_folder() if cache is True else None if cache is False else Path(cache)
    return Model(GenericModel(find_model(name)), Settings(cache=folder, max_pixels=max_pixels))


def __getattr__(name: str) -> object:
    """Import the public classes when they are first asked for: ``import piaa`` stays quick."""
    if name not in _HOMES:
        raise AttributeError(f"module 'piaa' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
