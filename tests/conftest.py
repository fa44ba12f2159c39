from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

# A deadline measures the machine's load, not the code.
settings.register_profile("piaa", deadline=None)
settings.load_profile("piaa")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real labels and photographs beside the checkout; tests skip where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(reason="no real data beside the checkout (../shared/data)")
    return folder
