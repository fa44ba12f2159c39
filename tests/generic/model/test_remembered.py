"""A calibrated model knows the photos that the plain one has seen; what asks the network alone refuses it."""

from __future__ import annotations

import numpy as np
import pytest

from generic.cache.features import FeatureCache
from generic.engine.calibrated import ORIGIN, PREFIX, Calibration
from generic.errors import CheckpointError
from generic.model.arrays import with_arrays
from generic.model.generic_model import GenericModel
from generic.model.registry import find_model


def calibrated(path, out, slope=0.5):
    """A file whose score is a line in the network's."""
    prior = GenericModel(path).tensors("prior.")
    d = len(prior["mean"]) - 2 + int(prior.get("n_richer", 0))
    coefficients = np.concatenate([[0.1, slope], np.zeros(d)])
    numbers = Calibration(
        coefficients=coefficients,
        taught=np.full((1, min(d, 16)), 99, np.float32),
        left_out=np.ones(1, np.float32),
    )
    with_arrays(path, out, PREFIX, numbers.tensors(), {ORIGIN: {"dataset": "table"}})
    return GenericModel(out)


@pytest.fixture(params=["shipped", "tiny"])
def plain(request, tiny_model):
    """The model of the package, a graph, and one that torch runs where it is installed."""
    return GenericModel(find_model("piaa-lite") if request.param == "shipped" else tiny_model)


def embed(model, paths, folder):
    with FeatureCache.open(folder) as cache:
        return np.stack([item.vector for item in model.embed(paths, cache=cache)])


def test_neither_runs_a_photo_that_the_other_has_seen(plain, album, names, tmp_path):
    paths = [album / name for name in names[:3]]
    other = calibrated(plain.path, tmp_path / f"app{plain.path.suffix}")
    assert other.hash != plain.hash == plain.network_hash == other.network_hash
    before = embed(plain, paths[:2], tmp_path / "cache")
    after = embed(other, paths[:2], tmp_path / "cache")
    assert "engine" not in vars(other)  # which is loaded by the first photo that needs it
    np.testing.assert_allclose(after[:, 0], 0.1 + 0.5 * before[:, 0], rtol=1e-6)
    np.testing.assert_array_equal(after[:, 1:], before[:, 1:])

    run = embed(other, paths, tmp_path / "cache")
    again = GenericModel(plain.path)
    remembered = embed(again, paths, tmp_path / "cache")
    assert "engine" not in vars(again)
    np.testing.assert_allclose(run[:, 0], 0.1 + 0.5 * remembered[:, 0], rtol=1e-6)
    np.testing.assert_array_equal(remembered, embed(plain, paths, tmp_path / "empty"))


def test_a_file_that_claims_to_be_of_another_network_is_not_believed(tiny_model, tmp_path):
    other = tmp_path / f"other{tiny_model.suffix}"
    changed = {"mean": GenericModel(tiny_model).tensors("prior.")["mean"] + 1}
    with_arrays(tiny_model, other, "other.", changed, {})
    claimed = {ORIGIN: {"network": GenericModel(tiny_model).hash}}
    with_arrays(
        other,
        other,
        PREFIX,
        GenericModel(calibrated(tiny_model, tmp_path / f"a{tiny_model.suffix}").path).tensors(PREFIX),
        claimed,
    )
    assert GenericModel(other).network_hash not in {GenericModel(tiny_model).hash, GenericModel(other).hash}


def test_what_goes_by_the_network_alone_is_refused_in_one_line(tiny_model, album, names, tmp_path):
    pytest.importorskip("torch")
    from generic.explain.explanation import explain
    from generic.model.raw_outputs import raw_outputs
    from piaa.adapters.network.finetune import FinetuneAdapter

    model = calibrated(tiny_model, tmp_path / f"app{tiny_model.suffix}")
    for use, call in (
        ("figures on distributions", lambda: raw_outputs(model, [])),
        ("explanations", lambda: explain(model, album / names[0])),
        ("adapters that change the network", lambda: FinetuneAdapter(model)),
    ):
        with pytest.raises(CheckpointError) as caught:
            call()
        assert str(caught.value) == (
            f"model {model.name} {model.hash[:8]} is calibrated: its score is not its network's, and {use} "
            f"go by the network alone; use the model that it was calibrated from"
        )


def test_an_exported_file_is_calibrated_too(tiny_model, album, names, tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    from generic.model.export import export_onnx
    from generic.photos.open import load_pixels

    model = calibrated(tiny_model, tmp_path / f"app{tiny_model.suffix}")
    pixels = [load_pixels(album / name, model.size, fit=model.fit) for name in names[:2]]
    header, _ = export_onnx(model.path, tmp_path / "app.onnx", pixels)
    exported = GenericModel(tmp_path / "app.onnx")
    assert (header.hash, exported.network_hash) == (model.hash, GenericModel(tiny_model).hash)
    np.testing.assert_allclose(exported.vectors(pixels), model.vectors(pixels), atol=1e-4)
    plain = GenericModel(tiny_model).vectors(pixels)
    np.testing.assert_allclose(exported.vectors(pixels)[:, 0], 0.1 + 0.5 * plain[:, 0], atol=1e-4)
