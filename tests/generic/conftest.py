from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest


@contextmanager
def _without_rights(path: Path) -> Iterator[None]:
    """Nobody may read path; an administrator, who may read everything, becomes nobody meanwhile."""
    mode = path.stat().st_mode
    path.chmod(0)
    root = os.geteuid() == 0
    parents = [(p, p.stat().st_mode) for p in path.parents if root and not p.stat().st_mode & 0o001]
    for parent, _ in parents:
        parent.chmod(0o755)
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        path.chmod(mode)
        for parent, parent_mode in parents:
            parent.chmod(parent_mode)


@pytest.fixture
def without_rights() -> Callable[[Path], AbstractContextManager[None]]:
    """A context in which nobody may read a path."""
    return _without_rights
