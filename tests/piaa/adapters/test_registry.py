"""Adapters by name."""

from __future__ import annotations

import pytest

from generic.errors import PiaaError
from piaa.adapters.registry import ADAPTERS, make_adapter


def test_adapters_are_made_by_name():
    assert type(make_adapter("ridge", None)) is ADAPTERS["ridge"]
    assert all(ADAPTERS[name].name == name for name in ADAPTERS)
    with pytest.raises(PiaaError) as caught:
        make_adapter("magic", None)
    assert str(caught.value) == ("there is no adapter 'magic'; choose one of " + ", ".join(ADAPTERS))
