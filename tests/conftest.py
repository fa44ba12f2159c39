from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TextIO
from urllib.parse import urlsplit

import pytest

# `uv run pytest` without the group that has pytest finds another one on the PATH, if there is one.
NEEDED = (
    "hypothesis",
    "numpy",
    "onnx",
    "onnxruntime",
    "pytest_timeout",
    "safetensors",
    "typer",
    "xdist",
    "yaml",
)
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]
HERE = os.environ.get("VIRTUAL_ENV", sys.prefix) if "UV_RUN_RECURSION_DEPTH" in os.environ else sys.prefix
if MISSING or Path(sys.prefix).resolve() != Path(HERE).resolve():
    sys.exit(
        f"this pytest belongs to {sys.prefix}, which is not the project's environment"
        f"{' and lacks ' + ', '.join(MISSING) if MISSING else ''}; run: uv run --group dev pytest"
    )

from hypothesis import settings  # noqa: E402

# Python's default, whatever the environment says: the suite starts hundreds of processes, and where byte
# code is not kept each of them compiles torch and timm anew, for ten seconds.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Before numpy and torch are imported, for this process, its workers and all that they start: networks of a
# few thousand numbers lose by a second thread, several times over where another worker wants that core.
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np  # noqa: E402

# A deadline measures the machine's load, not the code.
settings.register_profile("piaa", deadline=None)
settings.load_profile("piaa")

NOBODY = 65534
SIZE = 64
N_PHOTOS = 12
OPTIONS = {
    "size": SIZE,
    "frozen_size": SIZE,
    "taps": 8576,
    "n_embedding": 8,
    "n_centres": 4,
    "eat_dims": (32, 32),
    "k_in": 2,
}


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config) -> None:
    """A worker on each core for folders, unless ``-n`` says otherwise; files alone are faster without any.

    Nor are there workers for a path that does not exist, of which they would not tell.
    """
    paths = [Path(arg.partition("::")[0]) for arg in config.args]
    folders = any(path.is_dir() for path in paths) and all(path.exists() for path in paths)
    if folders and config.getoption("numprocesses", 0) is None and not hasattr(config, "workerinput"):
        config.option.numprocesses = "auto"


@pytest.fixture(scope="session", autouse=True)
def nobodys_folders(tmp_path_factory) -> Iterator[None]:
    """No test reads or writes the store and the cache of whoever runs it."""
    folder = tmp_path_factory.mktemp("nobody")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIAA_STORE", str(folder / "piaa.db"))
        patch.setenv("PIAA_CACHE_DIR", str(folder / "cache"))
        yield


@contextlib.contextmanager
def _tmpfs(folder: Path, size: str) -> Iterator[Path]:
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.name != "posix" or os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture(scope="session")
def tmpfs() -> Callable[[Path, str], AbstractContextManager[Path]]:
    """``with tmpfs(folder, size)``: a small disk of its own, for root with the right to mount."""
    return _tmpfs


@contextlib.contextmanager
def _ordinary_user() -> Iterator[None]:
    if os.geteuid() != 0:
        yield
        return
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@pytest.fixture(scope="session")
def ordinary_user() -> Callable[[], AbstractContextManager[None]]:
    """``with ordinary_user()``: permission bits do not stop root, so root becomes nobody for the block."""
    return _ordinary_user


@pytest.fixture(scope="session")
def kill() -> ModuleType:
    """tests/kill.py, which test modules cannot import: another package may be called ``tests`` as well."""
    spec = importlib.util.spec_from_file_location("piaa_tests_kill", Path(__file__).with_name("kill.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def cluster_lock(tmp_path_factory) -> Iterator[TextIO]:
    """Shared by all workers while a test uses the cluster, held alone by one that restarts it."""
    if not os.environ.get("PIAA_TEST_POSTGRES_URL"):
        pytest.skip(reason="PIAA_TEST_POSTGRES_URL names no PostgreSQL database")
    fcntl = pytest.importorskip("fcntl")
    with (tmp_path_factory.getbasetemp().parent / "postgres.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield file


@pytest.fixture
def postgres(cluster_lock) -> str:
    """The URL of an empty PostgreSQL database that no other worker uses."""
    psycopg = pytest.importorskip("psycopg", reason="the core has no psycopg")

    url = os.environ["PIAA_TEST_POSTGRES_URL"]
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is not None:
        name = f"piaa_{worker}"
        with psycopg.connect(url, autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
                connection.execute(f"CREATE DATABASE {name}")
        url = urlsplit(url)._replace(path=f"/{name}").geturl()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return url


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real labels and photographs beside the checkout; tests skip where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(reason="no real data beside the checkout (../shared/data)")
    return folder


@pytest.fixture(scope="session")
def golden_files() -> list[Path]:
    """What the released EAT computed, recorded, beside the checkout; tests skip where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "golden"
    files = sorted(folder.glob("official_eat_*.safetensors"))
    if not files:
        pytest.skip(reason="no golden files beside the checkout (../shared/golden)")
    return files


@pytest.fixture(scope="session")
def fixed_folder() -> Iterator[Path]:
    """A folder for the whole session that everybody may enter; pytest's own is for its owner only."""
    with tempfile.TemporaryDirectory(prefix="piaa-tests-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="session")
def album(fixed_folder) -> Path:
    """Twelve rendered photos of 96 x 72 pixels, five of them in nested folders; do not change."""
    from piaa.demo.scenes import draw_scenes, render

    root = fixed_folder / "album"
    (root / "summer" / "late august").mkdir(parents=True)
    homes = [root] * 7 + [root / "summer"] * 3 + [root / "summer" / "late august"] * 2
    for number, (home, scene) in enumerate(zip(homes, draw_scenes(N_PHOTOS, 3), strict=True), 1):
        suffix = ".png" if number == 4 else ".jpg"
        render(scene, (96, 72)).save(home / f"photo-{number:02d}{suffix}", quality=92)
    return root


@pytest.fixture(scope="session")
def names(album) -> list[str]:
    """The album's photos relative to it."""
    from generic.photos.find import find_images

    return [path.relative_to(album).as_posix() for path in find_images(album)]


@pytest.fixture(scope="session")
def tiny_model(fixed_folder, album, names) -> Path:
    """A model file as training writes it, at 64 pixels: the real network, random weights, a learned prior.

    Where torch is not installed, a graph that stands for it: vectors of the same shape and the same prior.
    """
    if importlib.util.find_spec("torch") is None:
        return _tiny_graph(fixed_folder / "tiny.onnx", album, names)
    import torch

    from generic.lite.piaa_lite import PiaaLite, fold_batch_norms
    from generic.model.checkpoint import NETWORK, Header, save_checkpoint
    from generic.photos.open import load_pixels
    from piaa.adapters.prior import PREFIX

    pixels = np.stack([load_pixels(album / name, SIZE) for name in names])
    photos = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        network = PiaaLite(**OPTIONS).eval()
        network.kernel.centres.normal_(0, 0.3)
        network.kernel.weights.normal_()
        # Pooled features of about 0.2, as ImageNet's: larger ones would make a tuning step a leap.
        network.tuned.late.bn2.weight.mul_(0.2)
        # As after training: embeddings of unit variance, scores around 0.5.
        taps = network.stem(photos)[0]
        network.tap_mean.copy_(taps.mean(0))
        network.project.weight.div_((network.project(taps - taps.mean(0)) ** 2).sum(1).mean().sqrt())
        network.whiten.copy_(1 / network(photos)[1].std(0))
        heads = [p for head in (network.tuned.out, network.tuned.eat_out) for p in head.parameters()]
        gain = 0.15 / network(photos)[0].std()
        for part in (network.kernel.weights, *heads):
            part.mul_(gain)
        network.kernel.offset.add_(0.5 - network(photos)[0].mean())
        state = fold_batch_norms(network).state_dict()
    tensors = {NETWORK + key: value.numpy().astype(np.float16) for key, value in state.items()}
    tensors |= {PREFIX + key: value for key, value in _learned_prior().tensors().items()}
    architecture = {"kind": "eat_lite", **OPTIONS, "eat_dims": list(OPTIONS["eat_dims"])}
    header = Header(
        name="piaa-tiny",
        architecture=architecture,
        scale=(1.0, 7.0),
        training={"summary": "random weights, for tests"},
        figures={"srcc": 0.0},
    )
    path = fixed_folder / "tiny.safetensors"
    save_checkpoint(path, header, tensors)
    return path


def _tiny_graph(path: Path, album: Path, names: list[str]) -> Path:
    """A model file whose network is a mean of colours over patches and one matrix."""
    from onnx import TensorProto, helper, numpy_helper

    from generic.engine.onnx_engine import INPUT, OUTPUT
    from generic.model import onnx_file
    from generic.model.checkpoint import Header, fingerprint, plain_header
    from generic.photos.open import load_pixels
    from piaa.adapters.prior import PREFIX

    pixels = np.stack([load_pixels(album / name, SIZE) for name in names])
    side = SIZE // 4
    patches = (
        pixels.reshape(-1, 4, side, 4, side, 3).mean((2, 4)).transpose(0, 3, 1, 2).reshape(len(names), -1)
    )
    # As after training: embeddings of unit variance, scores around 0.5.
    matrix = np.random.default_rng(0).standard_normal((patches.shape[1], 9))
    matrix *= np.array([0.15] + [1.0] * 8) / (patches @ matrix).std(0)
    offset = np.array([0.5] + [0.0] * 8) - (patches @ matrix).mean(0)
    weights = {
        "network.matrix": matrix.astype(np.float32),
        "network.offset": offset.astype(np.float32),
        "shape": np.array([1, -1]),
    }
    nodes = [
        helper.make_node("Cast", [INPUT], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["channels"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["channels"], ["means"], kernel_shape=[side] * 2, strides=[side] * 2),
        helper.make_node("Reshape", ["means", "shape"], ["flat"]),
        helper.make_node("Gemm", ["flat", "network.matrix", "network.offset"], [OUTPUT]),
    ]
    ends = (
        helper.make_tensor_value_info(INPUT, TensorProto.UINT8, [1, SIZE, SIZE, 3]),
        helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [1, 9]),
    )
    constants = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "tiny", ends[:1], ends[1:], constants)
    opset = [helper.make_opsetid("", 17)]
    content = helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString()
    prior = {PREFIX + key: value for key, value in _learned_prior().tensors().items()}
    header = Header(
        name="piaa-tiny",
        architecture={"kind": "graph", "size": SIZE},
        scale=(1.0, 7.0),
        training={"summary": "random weights, for tests"},
        figures={"srcc": 0.0},
        engine={"name": "onnx", "sha256": onnx_file.graph_checksum(memoryview(content))},
    )
    tensors = prior | {key: value for key, value in weights.items() if key.startswith("network.")}
    header = replace(header, hash=fingerprint(header, tensors))
    path.write_bytes(onnx_file.with_metadata(content, plain_header(header), prior))
    return path


def _learned_prior():
    from piaa.adapters.prior import learn_prior

    rng = np.random.default_rng(5)
    features = np.column_stack((rng.normal(0.5, 0.15, 60), rng.standard_normal((60, 8))))
    people = []
    for _ in range(40):
        rows = rng.permutation(60)[:15]
        taste = features[rows, 1:] @ rng.normal(0, 0.06, 8)
        scores = rng.normal(0, 0.05) + features[rows, 0] + taste + rng.normal(0, 0.08, 15)
        people.append((rows, scores.clip(0, 1)))
    return learn_prior(features, features[:, 0], people, n_joint=3, n_noise=3, rounds=8)


@pytest.fixture(scope="session")
def tiny_graph(fixed_folder, album, names) -> Path:
    """Another model than ``tiny_model``, unless torch is not installed: a graph, with a prior of its own."""
    return _tiny_graph(fixed_folder / "tiny-graph.onnx", album, names)


@pytest.fixture(scope="session")
def warm_cache(fixed_folder, album, names, tiny_model) -> Path:
    """A cache folder that holds the album's features under the tiny model; tests that write use ``warm``."""
    from generic.cache.features import FeatureCache
    from generic.model.generic_model import GenericModel

    folder = fixed_folder / "cache"
    with FeatureCache.open(folder) as cache:
        for item in GenericModel(tiny_model).embed([album / name for name in names], cache=cache):
            assert item.error is None
    return folder


@pytest.fixture
def warm(tmp_path, warm_cache) -> Path:
    """A copy of ``warm_cache`` for one test, where ``user_folders`` lets PIAA_CACHE_DIR point."""
    folder = tmp_path / "user-cache"
    shutil.copytree(warm_cache, folder)
    return folder


@pytest.fixture
def user_folders(tmp_path, monkeypatch) -> Path:
    """PIAA_STORE and PIAA_CACHE_DIR lie in the returned folder, in this process and its children."""
    monkeypatch.setenv("PIAA_STORE", str(tmp_path / "piaa.db"))
    monkeypatch.setenv("PIAA_CACHE_DIR", str(tmp_path / "user-cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    # The checkout's packages, for children that run in another folder.
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[1]))
    return tmp_path


@pytest.fixture
def piaa(user_folders, monkeypatch) -> Callable:
    """The command line in this process: ``piaa("score", folder, ...)`` gives exit_code, stdout, stderr.

    An exception that the command line does not turn into a message fails the test, unless it is an exit.
    """
    from typer.testing import CliRunner

    from cli import app

    def run(*args, input: str | None = None):  # noqa: A002
        root = logging.getLogger()
        # Without pytest's handlers a warning goes to stderr, as it does for a person.
        handlers, root.handlers = root.handlers, []
        try:
            result = CliRunner().invoke(app, [str(arg) for arg in args], input=input)
        finally:
            root.handlers = handlers
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def ratings(tmp_path, names) -> Path:
    """A table of ten ratings of the album, on 1..5."""
    path = tmp_path / "ratings.csv"
    scores = (5, 1, 4, 2, 3, 5, 2, 1, 4, 3)
    rows = [f"{name},{score}" for name, score in zip(names, scores, strict=False)]
    path.write_text("\n".join(("image,score", *rows)) + "\n")
    return path


@pytest.fixture
def fit(piaa, album, tiny_model, warm, ratings) -> Callable:
    """Fits a user on ``ratings`` without running the network."""

    def run(user: str = "ana", *args):
        return piaa(
            "fit-user", "--user", user, "--ratings", ratings, "--images", album, "--model", tiny_model, *args
        )

    return run


_WAITING = """
import signal, sys, time
from cli import app
from piaa.commands import progress

label, left = sys.argv.pop(1), int(sys.argv.pop(1))

def waiting(shown, total, write):
    def report(done):
        global left
        left -= done * (shown == label)
        if left <= 0:
            print("now", flush=True)
            time.sleep(60)
    return report

progress.in_lines = waiting
signal.signal(signal.SIGINT, signal.default_int_handler)
app()
"""
"""The command line, which waits in its progress, so that a signal surely comes there; as on a terminal, also
where the tests run in the background and Ctrl-C is ignored."""


@pytest.fixture
def stopped(user_folders) -> Callable[..., tuple[int, str]]:
    """``stopped(label, n, *arguments)``: exit code and stderr of piaa, by Ctrl-C after n items of a bar."""

    def run(label: str, n: int, *arguments: object) -> tuple[int, str]:
        command = [sys.executable, "-c", _WAITING, label, str(n), *map(str, arguments)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "now\n"
        process.send_signal(signal.SIGINT)
        try:
            out, error = process.communicate(timeout=60)
        finally:
            process.kill()  # nothing outlives a test that fails
            process.wait()
        assert out == ""
        return process.returncode, error

    return run
