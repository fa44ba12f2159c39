"""PostgreSQL started anew; an adapter of another package."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

NEAREST = '''
"""An adapter as somebody else writes it: what the person thought of the most similar photo."""

import numpy as np

from piaa.adapters.base import Adapter, Prediction


class NearestAdapter(Adapter):
    name = "nearest"

    def fit(self, features, unit_scores):
        self.rated = {"features": np.array(features), "residual": unit_scores - features[:, 0]}
        return self

    def predict(self, features):
        apart = ((features[:, None, 1:] - self.rated["features"][:, 1:]) ** 2).sum(axis=2)
        mean = features[:, 0] + self.rated["residual"][apart.argmin(axis=1)]
        return Prediction.from_normal(mean, np.full(len(mean), 0.2))

    def state(self):
        return dict(self.rated)

    def restore(self, state):
        self.rated = dict(state)
        return self
'''


@pytest.fixture
def restart_postgres(cluster_lock) -> Callable[[], None]:
    """Restarts the cluster by its own tool, which ends open connections; as its user, for it refuses root."""
    import fcntl

    command = os.environ.get("PIAA_TEST_POSTGRES_RESTART")
    if not command:
        pytest.skip(reason="PIAA_TEST_POSTGRES_RESTART has no command")
    words = shlex.split(command)
    if os.getuid() == 0:
        words = ["runuser", "-u", "postgres", "--", *words]
    fcntl.flock(cluster_lock, fcntl.LOCK_EX)
    return lambda: subprocess.run(words, check=True)


@pytest.fixture
def install(tmp_path_factory, user_folders, monkeypatch) -> Callable[..., Path]:
    """``install("nearest = nearest_adapter:NearestAdapter", ...)``: a package, for this test's processes.

    It lies on PYTHONPATH as pip would leave it: a module and a dist-info folder with its entry points.
    """

    def write(*entries: str, package: str = "nearest-adapter", source: str = NEAREST) -> Path:
        site = tmp_path_factory.mktemp("site")
        module = package.replace("-", "_")
        (site / f"{module}.py").write_text(source)
        about = site / f"{module}-0.3.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.3\n")
        (about / "entry_points.txt").write_text("\n".join(("[piaa.adapters]", *entries, "")))
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join((os.environ["PYTHONPATH"], str(site))))
        return site

    return write
