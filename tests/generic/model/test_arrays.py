"""Other arrays in a model file of either kind: the network stays, the hash says that the file is another."""

from __future__ import annotations

import numpy as np
import pytest

from generic.model.arrays import with_arrays
from generic.model.checkpoint import load_checkpoint, read_graph, save_checkpoint
from generic.model.registry import find_model


@pytest.mark.parametrize("suffix", [".onnx", ".safetensors"])
def test_arrays_are_replaced_and_all_else_stays(tmp_path, suffix):
    path, out = find_model("piaa-lite"), tmp_path / f"mine{suffix}"
    header, before = load_checkpoint(path)
    if suffix == ".safetensors":
        path = tmp_path / "plain.safetensors"
        save_checkpoint(path, header, before)
    arrays = {"mean": np.array([1.0, 2.0]), "axes": np.eye(3)}
    written = with_arrays(path, out, "prior.", arrays, {"prior_from": {"users": ["ana"]}})
    found, tensors = load_checkpoint(out)  # which checks the hash
    assert found == written
    assert found.hash != header.hash
    assert found.training == {**header.training, "prior_from": {"users": ["ana"]}}
    assert {key for key in tensors if key.startswith("prior.")} == {"prior.mean", "prior.axes"}
    np.testing.assert_array_equal(tensors["prior.axes"], np.eye(3))
    for key, value in before.items():
        if not key.startswith("prior."):
            np.testing.assert_array_equal(tensors[key], value, err_msg=key)
    if suffix == ".onnx":
        read_graph(out)  # which checks its checksum
