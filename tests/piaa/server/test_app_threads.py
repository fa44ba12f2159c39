"""A server multiplies by one thread: more of them wait for one another when cores are busy."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SERVED = """
import asyncio
from piaa.server.app import create_app
from piaa.server.settings import ServeSettings
from threadpoolctl import threadpool_info

async def main():
    app = create_app(ServeSettings(store="piaa.db", model="piaa-lite", cache=None, keys=False))
    async with app.router.lifespan_context(app):
        print(sorted({pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}))

asyncio.run(main())
"""


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core: a BLAS has one thread anyway")
def test_a_server_multiplies_by_one_thread(tmp_path):
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "2", "PYTHONPATH": str(Path.cwd())}
    command = [sys.executable, "-c", SERVED]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "[1]\n"), done.stderr
