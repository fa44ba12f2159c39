"""A model on stems in closed form: by scikit-learn's arithmetic, and the same numbers from one graph."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.kernel_ridge import KernelRidge

from generic.cache.features import FeatureCache
from generic.engine.onnx_engine import OnnxEngine
from generic.errors import CheckpointError, TooFewRatings
from generic.lite.pooled import random_folds
from generic.metrics import spearman
from generic.model.checkpoint import Header
from generic.model.generic_model import GenericModel
from generic.model.graph_file import save_graph
from generic.stems.build import build, check, look
from generic.stems.guard import checked
from generic.stems.import_stem import import_stem
from generic.stems.merge import Stem, load_stem, merge
from generic.stems.spec import Spec
from generic.stems.wrap import wrapped

N = 24


@pytest.fixture
def stem(tower):
    """``stem(size=16)``: a stem that looks at squares of this size; larger ones see the upper left corner."""

    def make(name="a", **options):
        spec = Spec(size=16, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4), licence="CC0-1.0")
        graph = wrapped(checked(tower(**options), spec), spec)
        return Stem(name, onnx.load_model_from_string(graph), 16, {"name": name})

    return make


@pytest.fixture
def photos(tmp_path):
    """Files of ``N`` photos of one colour each, with grain."""
    rng = np.random.default_rng(3)
    colours = rng.uniform(40, 215, (N, 1, 1, 3))
    paths = []
    for number, colour in enumerate(colours):
        pixels = np.clip(colour + rng.integers(-30, 30, (20, 20, 3)), 0, 255).astype(np.uint8)
        paths.append(tmp_path / f"{number:02d}.png")
        Image.fromarray(pixels).save(paths[-1])
    return paths, (colours[:, 0, 0, 0] - colours[:, 0, 0, 2] + 175) / 350


def test_stems_side_by_side_give_what_each_gives(stem, photo, maps):
    merged = merge([stem("a"), stem("b", opset=13)])
    assert (merged.size, merged.widths, merged.opset) == (16, (6, 6), 18)
    got = OnnxEngine(merged.taps(), "both").vector(photo)
    np.testing.assert_allclose(got, np.tile(maps(photo).mean(1), 2), rtol=0, atol=1e-5)


def test_each_stem_sees_the_photo_at_its_own_size(stem, maps):
    import torch

    large = stem("b")
    large.model = onnx.load_model_from_string(_means(32))
    large.size, large.width = 32, 3
    merged = merge([stem("a"), large])
    photo = np.random.default_rng(1).integers(0, 256, (32, 32, 3), np.uint8)
    x = torch.from_numpy(photo).permute(2, 0, 1)[None].float()
    small = torch.nn.functional.interpolate(x, (16, 16), mode="bilinear", antialias=True).round()
    got = OnnxEngine(merged.taps(), "both").vector(photo)
    np.testing.assert_allclose(got[:6], maps(small[0].permute(1, 2, 0).numpy()).mean(1), atol=2e-3)
    np.testing.assert_allclose(got[6:], photo.mean((0, 1)), rtol=1e-5)


def _means(size: int) -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("Cast", ["photo"], ["wide"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["wide", "axes"], ["vector"], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "means",
        [helper.make_tensor_value_info("photo", TensorProto.UINT8, [1, size, size, 3])],
        [helper.make_tensor_value_info("vector", TensorProto.FLOAT, [1, 3])],
        [numpy_helper.from_array(np.array([1, 2]), "axes")],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9
    ).SerializeToString()


def test_the_model_is_kernel_ridge_regression_on_principal_directions(stem, photos):
    paths, means = photos
    merged = merge([stem("a")])
    seen = look(merged, paths, jobs=2)
    assert (seen.rows.tolist(), seen.errors) == (list(range(N)), {})
    built = build(merged, seen, means)
    gamma, alpha, d = (built.settings[key] for key in ("gamma", "alpha", "directions"))
    assert built.vectors.shape == (N, 1 + d)

    def fitted(rows):
        taps = seen.both[rows].astype(np.float64)
        mean, deviation = taps.mean(0), taps.std(0) + 1e-6
        z = (taps - mean) / deviation
        length = np.sqrt((z**2).sum(1).mean())
        pca = PCA(d, svd_solver="full").fit(z)
        ridge = KernelRidge(kernel="rbf", gamma=gamma, alpha=alpha)
        ridge.fit(pca.transform(z) / length, means[rows] - means[rows].mean())
        return lambda x: ridge.predict(pca.transform((x - mean) / deviation) / length) + means[rows].mean()

    wanted = fitted(np.arange(N))(seen.plain.astype(np.float64))
    np.testing.assert_allclose(built.vectors[:, 0], wanted, rtol=0, atol=1e-4)
    out_of_fold = np.zeros(N)
    for held in random_folds(N, 4, 0):
        out_of_fold[held] = fitted(np.setdiff1d(np.arange(N), held))(seen.both[held].astype(np.float64))
    np.testing.assert_allclose(built.out_of_fold, out_of_fold, rtol=0, atol=1e-4)
    assert built.figures["srcc_out_of_fold"] == spearman(built.out_of_fold, means)
    assert built.figures["srcc_out_of_fold"] > 0.8
    assert built.figures["rmse_out_of_fold"] == pytest.approx(np.sqrt(np.mean((out_of_fold - means) ** 2)))


def test_one_graph_gives_it_all_through_the_file(stem, photos, tmp_path):
    paths, means = photos
    merged = merge([stem("a"), stem("b", layout="NCHW")])
    seen = look(merged, paths)
    built = build(merged, seen, means)
    assert check(built, seen, merged, paths) < 1e-4
    out = tmp_path / "model.onnx"
    header = Header(name="m", architecture={"size": 16}, scale=(1.0, 5.0))
    save_graph(out, header, "graph", built.graph, {})
    onnx.checker.check_model(onnx.load(out))
    embedded = GenericModel(out).embed(paths, cache=FeatureCache(None))
    np.testing.assert_allclose(np.stack([item.vector for item in embedded]), built.vectors, atol=1e-3)


def test_each_stem_counts_the_same_whatever_its_width(stem, photos):
    paths, means = photos
    merged = merge([stem("a")])
    seen = look(merged, paths)
    once = build(merged, seen, means)
    twice = merge([stem("a"), stem("b")])
    again = build(twice, look(twice, paths), means)
    np.testing.assert_allclose(again.vectors[:, 0], once.vectors[:, 0], rtol=0, atol=1e-3)


def test_unreadable_photos_are_named_and_left_out(stem, photos):
    paths, means = photos
    paths[5].write_text("not a photo")
    merged = merge([stem("a")])
    seen = look(merged, paths)
    assert list(seen.errors) == [5]
    assert "05.png is not an image" in seen.errors[5]
    assert seen.rows.tolist() == [row for row in range(N) if row != 5]
    assert build(merged, seen, means[seen.rows]).vectors.shape[0] == N - 1


def test_too_little_to_build_from(stem, photos):
    paths, means = photos
    merged = merge([stem("a")])
    for n, values, said in ((19, means[:19], None), (24, np.full(24, 0.5), "1 different mean")):
        with pytest.raises(TooFewRatings) as caught:
            build(merged, look(merged, paths[:n]), values)
        assert str(caught.value) == (
            f"a model is built from at least 20 readable photos with different means, got {n} photos with "
            f"{said or f'{len(set(values.tolist()))} different means'}; rate more"
        )


def test_a_stem_is_loaded_by_its_file(tower, files, tmp_path, tiny_model):
    file, spec = files(tower())
    out = tmp_path / "stem.onnx"
    header = import_stem(file, spec, out)
    stem = load_stem(str(out))
    assert (stem.name, stem.size, stem.width) == ("stem", 16, 6)
    assert stem.facts["hash"] == header.hash
    assert stem.facts["licence"] == "CC0-1.0"
    with pytest.raises(CheckpointError, match=r"is no stem but a model of kind 'eat_lite'; give a file of"):
        load_stem(str(tiny_model))
    with pytest.raises(CheckpointError, match=r"^timm knows no model 'nothing'; timm\.list_models\(\) lists"):
        load_stem("nothing")
