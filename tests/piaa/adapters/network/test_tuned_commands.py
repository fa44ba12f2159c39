"""``lora`` and ``finetune`` through the commands: fit, score, evaluate, the best epoch beside."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from piaa import load_model
from piaa.adapters.registry import ADAPTERS
from piaa.store.saying import Saying
from piaa.store.store import Store
from protocols.fewshot.results import Results


@pytest.mark.parametrize("adapter", [name for name, kind in ADAPTERS.items() if kind.needs_pixels])
def test_fit_and_score(fit, piaa, album, tiny_model, adapter):
    result = fit("gil", "--adapter", adapter)
    assert (result.exit_code, result.stderr) == (0, "")
    assert f"({adapter} on piaa-tiny" in result.stdout
    first = piaa("score", album, "--user", "gil", "--model", tiny_model, "--json")
    again = piaa("score", album / "summer", "--user", "gil", "--model", tiny_model, "--json")
    assert (first.exit_code, again.exit_code) == (0, 0)
    scores = {row["image"].rsplit("/")[-1]: row["score"] for row in json.loads(first.stdout)["scores"]}
    alone = {row["image"].rsplit("/")[-1]: row["score"] for row in json.loads(again.stdout)["scores"]}
    assert len(scores) == 12
    assert len(alone) == 5
    assert all(scores[name] == score for name, score in alone.items())


def test_a_loaded_person_scores_as_the_fitted_one(album, names, tiny_model, warm, tmp_path):
    model = load_model(tiny_model, cache=warm)
    given = {name: 1 + 4 * (n % 2) for n, name in enumerate(names[:8])}
    person = model.fit_user(given, images=album, adapter="lora")
    assert person.estimate is None
    person.save(tmp_path / "piaa.db")
    loaded = model.load("me", store=tmp_path / "piaa.db")
    assert person.score(album).equals(loaded.score(album))
    assert loaded.adapter.n_bytes == person.adapter.n_bytes


def test_a_network_is_kept_though_another_machine_saw_the_photos_first(album, names, tiny_model, tmp_path):
    """Whose vectors differ in their last bits."""
    model, place = load_model(tiny_model), tmp_path / "piaa.db"
    given = {name: 1 + 4 * (n % 2) for n, name in enumerate(names[:8])}
    person = model.fit_user(given, images=album, adapter="lora")
    others = tuple(
        (replace(photo, vector=np.nextafter(photo.vector, np.float32(2))), score)
        for photo, score in person.unsaved.ratings
    )
    saying = Saying(ratings=others, model_hash=model.generic.hash, source="terminal", scale=(1, 5))
    Store(place).say("ben", saying)
    assert person.save(place) == 1
    assert person.score(album).equals(model.load("me", store=place).score(album))


@pytest.mark.slow
def test_evaluate_with_the_best_epoch_beside(piaa, album, names, tiny_model, warm, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("protocols.report.files.figures", lambda _: ())
    shutil.copytree(album, tmp_path / "mine" / "images")
    rng = np.random.default_rng(3)
    rows = [f"{user},{name},{rng.integers(1, 6)}" for user in ("ana", "ben") for name in names]
    (tmp_path / "mine" / "ratings.csv").write_text("\n".join(("user,image,score", *rows)) + "\n")

    def run(*args):
        return piaa(
            *("evaluate", "--dataset", "table", "--root", "mine", "--model", tiny_model, "--shots", "7"),
            *("--repeats", "1", "--out", "run", *args),
        )

    # Averaged, or at the usual rate, so few random ratings leave the ranking as it is.
    tuned = "lora@gate=none@rate=1e-2"
    result = run("--adapter", f"generic,{tuned},{tuned}+oracle_epoch", "--json")
    assert result.exit_code == 0, result.stderr
    assert [row["method"] for row in json.loads(result.stdout)["rows"]] == ["generic", tuned]
    cells = Results.load(tmp_path / "run" / "results.json").columns
    srcc = {
        name: cells["srcc"][cells["adapter"] == name] for name in ("generic", tuned, f"{tuned}+oracle_epoch")
    }
    # One of the epochs is none at all, and one is the chosen one: the best is no worse than either.
    best = srcc[f"{tuned}+oracle_epoch"]
    assert (best >= srcc["generic"]).all()
    assert (best >= srcc[tuned]).all()
    assert best.sum() > srcc["generic"].sum()
    refused = run("--adapter", "generic,bayes+oracle_epoch")
    assert refused.stderr == (
        "piaa: adapter 'bayes' does not learn in epochs, so there is no 'bayes+oracle_epoch'; "
        "leave that out\n"
    )
