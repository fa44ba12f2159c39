"""Long work in a process of its own: what a log gets of it, and whoever presses Ctrl-C."""

from __future__ import annotations

import json

import pytest

from piaa.commands.progress import stopping


def test_who_stops_a_ranking_is_told_what_is_kept(stopped, piaa, album, tiny_model, tmp_path):
    cache = tmp_path / "cache"
    options = ("score", album, "--model", tiny_model)
    told = "piaa: stopped; the photos read so far are remembered: the same command goes on from there\n"
    assert stopped("scoring", 12, *options, "--cache", cache) == (130, told)
    assert "12 photos" in piaa("cache", "info", "--cache", cache).stdout
    told = "piaa: stopped; the same command begins from the start\n"
    assert stopped("scoring", 1, *options, "--no-cache") == (130, told)


def test_who_stops_a_fit_is_told_that_nothing_changed(stopped, piaa, fit, album, ratings, tiny_model):
    assert fit().exit_code == 0
    before = piaa("users", "show", "ana", "--json").stdout
    options = ("--user", "ana", "--ratings", ratings, "--images", album, "--model", tiny_model, "--add")
    assert stopped("reading photos", 5, "fit-user", *options) == (
        130,
        "piaa: stopped; nothing of ana changed, and the photos read so far are remembered: the same command "
        "goes on from there\n",
    )
    assert json.loads(piaa("users", "show", "ana", "--json").stdout) == json.loads(before)


def test_the_inner_work_speaks():
    with pytest.raises(KeyboardInterrupt) as stop, stopping("outer"), stopping("inner"):
        raise KeyboardInterrupt
    assert stop.value.args == ("inner",)
