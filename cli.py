"""The command line, put together. Each command parses, calls one function and prints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from piaa.commands import (
    backup,
    calibrate,
    demo,
    embed,
    explain,
    fit_user,
    fit_users,
    learn,
    manifest,
    model_build,
    model_export,
    model_import,
    rank,
    refit,
    score,
    serve,
    status,
    suggest,
    tidy,
)
from piaa.commands import (
    open as open_page,
)
from piaa.commands.cache import cache_app
from piaa.commands.keys import keys_app
from piaa.commands.models import models_app
from piaa.commands.terminal import accept_any_name
from piaa.commands.users import users_app
from protocols.commands import (
    compare,
    cross_evaluate,
    distill,
    evaluate,
    evaluate_generic,
    gaze,
    learn_prior,
    meta_train,
    pretrain,
)
from protocols.commands.data import data_app

if TYPE_CHECKING:
    from generic.model.generic_model import GenericModel
    from piaa.adapters.base import Adapter
    from piaa.meta.run import MetaRun


def adapters_of(model: GenericModel, names: Sequence[str]) -> dict[str, Callable[[], Adapter]]:
    """How to make each adapter on a model, with the prior of its file: an evaluation knows none itself.

    A name may be followed by a meta-learned start, as in ``anil=FILE``, or by options, ``finetune@epochs=8``.

    Raises:
        PiaaError: there is no adapter of a name, or the model has not what it needs.
    """
    from generic.errors import PiaaError
    from piaa.adapters.registry import plug_ins
    from piaa.people.model import Model
    from protocols.fewshot.results import ORACLE

    plug_ins()  # warns of one that wants a name of ours, before its numbers are looked for
    opened, makers = Model(model), dict[str, "Callable[[], Adapter]"]()
    for text in names:
        name, _, meta = (text, "", "") if "@" in text.partition("=")[0] else text.partition("=")
        if name in makers:
            raise PiaaError(f"--adapter has {name!r} twice; give each name once")
        plain = name.removesuffix(ORACLE)
        makers[name] = opened.maker(plain, meta or None, keep_epochs=plain != name)
    return makers


def plan_meta_training(out: Path, *, overwrite: bool, **settings: Any) -> MetaRun:
    """A meta-training, checked before any photo is read; settings are those of a ``MetaConfig``."""
    from piaa.meta.config import MetaConfig
    from piaa.meta.run import MetaRun

    return MetaRun(config=MetaConfig(**settings), out=out, overwrite=overwrite)


def add_prior(*given: Any) -> Any:  # noqa: ANN401 - of a function that is imported when it is called
    """How people differ, learned and put into a model file; see :mod:`piaa.people.learn_prior`."""
    from piaa.people import learn_prior

    return learn_prior.add_prior(*given)


def _version(asked: bool) -> None:
    if asked:
        import piaa

        typer.echo(f"piaa {piaa.__version__}")
        raise typer.Exit


class _App(typer.Typer):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - typer's own signature
        """Run the command line in this process's terminal or pipe, whatever its encoding."""
        accept_any_name()
        return super().__call__(*args, **kwargs)


HELP = "Learn one person's taste in photographs from 10 to 100 ratings; rank any photos for that person."
app = _App(help=HELP, no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options that go before a command."""


fit_user.add_to(app)
learn.add_to(app)
score.add_to(app)
demo.add_to(app)
open_page.add_to(app)
suggest.add_to(app)
explain.add_to(app)
serve.add_to(app)
manifest.add_to(app)
embed.add_to(app)
fit_users.add_to(app)
rank.add_to(app)
status.add_to(app)
backup.add_to(app)
tidy.add_to(app)
calibrate.add_to(app)
app.add_typer(keys_app, name="keys")
evaluate.add_to(app, adapters_of)
cross_evaluate.add_to(app, adapters_of)
compare.add_to(app)
meta_train.add_to(app, plan_meta_training)
pretrain.add_to(app, add_prior)
distill.add_to(app)
evaluate_generic.add_to(app)
gaze.add_to(app)
refit.add_to(users_app)
app.add_typer(users_app, name="users")
model_export.add_to(models_app)
model_import.add_to(models_app)
model_build.add_to(models_app)
learn_prior.add_to(models_app, add_prior)
app.add_typer(models_app, name="models")
app.add_typer(cache_app, name="cache")
app.add_typer(data_app, name="data")

if __name__ == "__main__":
    app()
