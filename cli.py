"""The command line, put together. Each command parses, calls one function and prints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import typer

from piaa.commands import explain, photos
from piaa.commands.cache import cache_app
from piaa.commands.models import models_app
from piaa.commands.users import users_app
from protocols.commands import distill, evaluate, pretrain
from protocols.commands.data import data_app

if TYPE_CHECKING:
    from generic.model import GenericModel
    from piaa.adapters import Adapter


def adapters_of(model: GenericModel, names: Sequence[str]) -> dict[str, Callable[[], Adapter]]:
    """How to make each adapter on a model, with the prior of its file: an evaluation knows none itself.

    Raises:
        PiaaError: there is no adapter of a name, or the model has not what it needs.
    """
    from functools import partial

    from piaa.adapters import make_adapter
    from piaa.person import Model

    prior = Model(model).prior
    makers: dict[str, Callable[[], Adapter]] = {name: partial(make_adapter, name, prior) for name in names}
    for make in makers.values():
        make()  # what cannot be made shows before any photo is read
    return makers


HELP = "Learn one person's taste in photographs from 10 to 100 ratings; rank any photos for that person."
app = typer.Typer(help=HELP, no_args_is_help=True, add_completion=False, rich_markup_mode=None)
photos.add_to(app)
explain.add_to(app)
evaluate.add_to(app, adapters_of)
pretrain.add_to(app)
distill.add_to(app)
app.add_typer(users_app, name="users")
app.add_typer(models_app, name="models")
app.add_typer(cache_app, name="cache")
app.add_typer(data_app, name="data")

if __name__ == "__main__":
    app()
