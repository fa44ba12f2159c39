"""How many connections there is room for, on systems that say so and on others."""

from __future__ import annotations

import pytest

from piaa.server.connections import room

resource = pytest.importorskip("resource")


def test_a_system_that_names_no_limit_and_takes_none_that_is_high(monkeypatch):
    granted = []

    def setrlimit(_, limits):  # as on macOS
        if limits[0] > 50_000:
            raise ValueError("current limit exceeds maximum limit")
        granted.append(limits)

    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", setrlimit)
    assert room(4000) == (4000, 2048)
    assert granted == [(10_240, resource.RLIM_INFINITY)]
