"""NIMA's weights: only from the file that idealo published. Its content is not at hand here."""

from __future__ import annotations

import pytest

from generic.errors import CheckpointError
from generic.lite.ava_weights import ava_network


def test_another_file_is_refused(tmp_path):
    file = tmp_path / "weights.hdf5"
    with pytest.raises(CheckpointError) as caught:
        ava_network(file)
    assert str(caught.value) == (f"NIMA's weights {file} do not exist; give idealo's file, or a copy of it")
    file.write_bytes(b"other")
    with pytest.raises(CheckpointError) as caught:
        ava_network(file)
    assert str(caught.value) == (
        f"NIMA's weights {file} have the SHA-256 d9298a10, expected e563ad91: that is not idealo's "
        "weights_mobilenet_aesthetic_0.07.hdf5; give that file, or a copy of it"
    )
