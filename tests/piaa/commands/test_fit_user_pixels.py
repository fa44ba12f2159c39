"""``piaa fit-user`` with adapters that learn from the photos themselves: all of them must be at hand."""

from __future__ import annotations

import json
import shutil

import pytest

pytest.importorskip("torch")


def part(table, *places):
    names = list(table)
    return {names[place]: table[names[place]] for place in places}


@pytest.fixture
def later(album, names, tmp_path):
    """A folder that holds the photo that is rated later, and no other."""
    folder = tmp_path / "later"
    folder.mkdir()
    shutil.copy(album / names[2], folder)
    return folder


@pytest.mark.parametrize("adapter", ["finetune", "lora"])
def test_added_ratings_are_learned_with_all_photos_at_hand(
    rate, scores_of, rated, learned, early, table, tmp_path, adapter
):
    assert rate("ana", part(table, 0, 1), "--adapter", adapter).exit_code == 0
    more = rate("ana", part(table, 2), "--add")
    assert (more.exit_code, more.stderr) == (0, "")
    assert more.stdout == (
        f"{learned('ana', '3 ratings', adapter)}{early(3)}stored: {tmp_path / 'piaa.db'}, version 2\n"
    )
    assert rate("eve", part(table, 0, 1, 2), "--adapter", adapter).exit_code == 0
    assert rated("ana") == part(table, 0, 1, 2)
    assert scores_of("ana") == scores_of("eve")


@pytest.mark.parametrize("adapter", ["finetune", "lora"])
def test_photos_of_before_that_are_not_there_are_told(
    rate, piaa, shown, scores_of, rated, later, table, names, tiny_model, album, adapter
):
    assert rate("ana", part(table, 0, 1), "--adapter", adapter).exit_code == 0
    before = scores_of("ana")
    refused = rate("ana", part(table, 2), "--add", folder=later)
    assert (refused.exit_code, refused.stdout) == (1, "")
    missing = (
        f"piaa: adapter {adapter!r} learns from the photos themselves, but {{}} of the 3 that user 'ana' "
        f"rated are not there, the first is {names[0]!r}; pass the folder that holds them with --images, "
        "or use another adapter"
    )
    assert refused.stderr == f"{missing.format(2)} (what the table says is kept)\n"
    # Her version of before counts, and the rating waits.
    assert scores_of("ana") == before
    assert rated("ana") == part(table, 0, 1, 2)
    again = piaa("fit-user", "--user", "ana", "--model", tiny_model)
    assert again.stderr == missing.format(3) + "\n"
    found = piaa("fit-user", "--user", "ana", "--images", album, "--model", tiny_model, "--json")
    assert (found.exit_code, json.loads(found.stdout)["n_ratings"]) == (0, 3)
    assert [one["adapter"] for one in shown("ana")["versions"]] == [adapter] * 2


def test_another_adapter_needs_no_photos(rate, piaa, learned, early, later, table, tiny_model, tmp_path):
    assert rate("ana", part(table, 0, 1), "--adapter", "lora").exit_code == 0
    result = rate("ana", part(table, 2), "--add", "--adapter", "ridge", folder=later)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        f"{learned('ana', '3 ratings', 'ridge')}{early(3)}stored: {tmp_path / 'piaa.db'}, version 2\n"
    )


def test_what_is_withdrawn_is_gone_and_the_rest_learned_without_pixels(
    rate, piaa, shown, rated, learned, early, table, names, tiny_model, tmp_path
):
    assert rate("ana", part(table, 0, 1), "--adapter", "lora").exit_code == 0
    result = piaa("users", "forget-rating", "ana", names[0], "--model", tiny_model)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        "ana: deleted version 1, learned with what is withdrawn\n"
        f"{learned('ana', '1 rating')}{early(1)}stored: {tmp_path / 'piaa.db'}, version 2\n"
    )
    assert rated("ana") == part(table, 1)
    assert [one["version"] for one in shown("ana")["versions"]] == [2]


def test_a_change_of_photos_at_hand_is_taken_back_without_them(
    rate, piaa, learned, early, later, table, tiny_model, tmp_path
):
    assert rate("ana", part(table, 0, 1), "--adapter", "lora").exit_code == 0
    assert rate("ana", part(table, 2), "--add", folder=later).exit_code == 1
    assert rate("ana", part(table, 3), "--add").exit_code == 0
    result = piaa("users", "undo", "ana", "--model", tiny_model)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.endswith(
        f"{learned('ana', '3 ratings')}{early(3)}stored: {tmp_path / 'piaa.db'}, version 3\n"
    )
