"""What each adapter declares that it needs and can do is true of it."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from safetensors.numpy import load, save

from generic.errors import CheckpointError
from piaa.adapters.linear_form import LinearForm
from piaa.adapters.linear_forms import LinearForms
from piaa.adapters.registry import ADAPTERS, make_adapter, names_where
from piaa.people.model import Model

ABILITIES = {
    "fits_many": lambda adapter: adapter.fit_many([], []),
    "keeps_support": lambda adapter: adapter.support,
    "has_linear_form": lambda adapter: adapter.linear_form(),
    "learns_in_epochs": lambda adapter: adapter.predict_epochs(None),
}
"""The flag of each ability, and a call of what it promises."""


@pytest.fixture(scope="module")
def scores(twelve) -> np.ndarray:
    return np.random.default_rng(0).random(len(twelve))


@pytest.fixture(scope="module", params=list(ADAPTERS))
def kind(request):
    return ADAPTERS[request.param]


@pytest.fixture(scope="module")
def make(kind, tiny, twelve, make_start):
    """Makes one with all that any adapter may need."""
    prior, start = Model(tiny).prior, make_start(kind.name, twelve.vectors.shape[1])
    return partial(make_adapter, kind.name, prior, start=start, generic=tiny)


@pytest.fixture(scope="module")
def give(kind, twelve):
    """Some of the photos, as the adapter wants them."""

    def take(*rows: int):
        some = twelve.take(np.array(rows))
        return some if kind.needs_pixels else some.vectors

    return take


@pytest.fixture(scope="module")
def fitted(make, give, scores):
    """Fitted on three photos, too few to tune a network."""
    return make().fit(give(0, 1, 2), scores[:3])


def test_its_name_is_the_one_it_is_made_by(kind, make):
    assert type(make()) is kind
    assert make().name == kind.name


def test_what_it_needs_is_enough_and_nothing_else_is_needed(kind, tiny, twelve, give, scores, make_start):
    given = {
        "prior": Model(tiny).prior if kind.needs_prior else None,
        "start": make_start(kind.name, twelve.vectors.shape[1]) if kind.needs_start else None,
        "generic": tiny if kind.needs_pixels else None,
    }
    adapter = make_adapter(kind.name, **given).fit(give(0, 1, 2), scores[:3])
    assert adapter.predict(give(3, 4)).score.shape == (2,)


def test_without_the_prior_that_it_needs_it_cannot_be_made(kind, make):
    with_none = partial(make.func, kind.name, None, **make.keywords)
    if kind.needs_prior:
        with pytest.raises(CheckpointError, match=f"^adapter '{kind.name}' needs a prior, but "):
            with_none()
    else:
        with_none()


def test_without_the_start_that_it_needs_it_predicts_and_does_not_fit(kind, make, fitted, give, scores):
    made = make_adapter(kind.name, make.args[1], generic=make.keywords["generic"])
    restored = made.restore(fitted.state())
    assert restored.predict(give(3)).score.tobytes() == fitted.predict(give(3)).score.tobytes()
    if kind.needs_start:
        with pytest.raises(CheckpointError, match=f"^adapter '{kind.name}' needs a start that"):
            made.fit(give(0), scores[:1])
    else:
        made.fit(give(0), scores[:1])


def test_what_it_begins_with_is_named(kind, make):
    start = make.keywords["start"]
    assert make().identity == (start.hash if kind.needs_start else "")
    assert make().trained_on == (start.training if kind.needs_start else {})


@pytest.mark.parametrize("flag", ABILITIES)
def test_what_it_does_not_declare_it_refuses(kind, fitted, flag):
    if not getattr(kind, flag):
        with pytest.raises(NotImplementedError) as caught:
            ABILITIES[flag](fitted)
        assert str(caught.value).startswith(f"adapter {kind.name!r} declares no ")


def test_people_fitted_at_once_are_fitted_as_if_alone(kind, make, give, scores):
    if not kind.fits_many:
        assert make().at_once(1, 9) == 1
        return
    assert make().at_once(1, 9) > 1
    people = [(0, 1, 2), (3,), (4, 5, 6)]
    many = make().fit_many([give(*rows) for rows in people], [scores[list(rows)] for rows in people])
    for rows, one in zip(people, many, strict=True):
        alone = make().fit(give(*rows), scores[list(rows)])
        assert one.predict(give(7, 8)).low.tobytes() == alone.predict(give(7, 8)).low.tobytes()


def test_the_support_is_kept(kind, make, give, scores, fitted):
    if not kind.keeps_support:
        return
    features, ratings = make().restore(fitted.state()).support
    assert (features.tobytes(), ratings.tobytes()) == (give(0, 1, 2).tobytes(), scores[:3].tobytes())


def test_the_linear_form_scores_as_it_does_and_survives_a_file(kind, make, give, fitted):
    if not kind.has_linear_form:
        return
    state = load(save({key: np.asarray(value, order="C") for key, value in fitted.state().items()}))
    form = make().restore(state).linear_form()
    assert form.pack() == fitted.linear_form().pack()
    prior, x = make.args[1], give(7, 8, 9)
    stored = LinearForm.unpack(form.pack(), prior, x.shape[1] - 1)
    np.testing.assert_allclose(
        LinearForms.of([stored]).unit_scores(x, prior)[0], fitted.predict(x).score, rtol=0, atol=1e-12
    )


def test_epochs_begin_with_nothing_trained(kind, make, give, scores):
    if kind.learns_in_epochs:
        adapter = make(keep_epochs=True).fit(give(0, 1, 2), scores[:3])
        (first,) = adapter.predict_epochs(give(7, 8))
        assert first.score.tobytes() == adapter.predict(give(7, 8)).score.tobytes()


def test_a_person_takes_at_least_what_was_learned(fitted):
    assert fitted.n_bytes >= sum(
        np.asarray(value).nbytes for key, value in fitted.state().items() if key != "format"
    )


def test_abilities_are_asked_for_by_class():
    assert names_where(lambda kind: kind.needs_start) == ["anil", "maml", "meta-sgd"]
    assert names_where(lambda kind: kind.needs_pixels) == ["lora", "finetune"]
    assert names_where(lambda kind: kind.needs_prior) == ["bias", "pairs", "bayes"]
    linear = ["generic", "bias", "ridge", "pairs", "bayes", "auto"]
    assert names_where(lambda kind: kind.has_linear_form) == linear
