"""Optional packages: which extra of piaa brings each, and the line that tells a person who lacks one.

A module that needs such a package imports it where it is used and says no more; who calls it on behalf of a
person (a command, a public name) does so within :func:`needing`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from generic.errors import MissingPackage

PACKAGES = {
    "train": ("accelerate", "huggingface_hub", "onnx", "onnxscript", "timm", "torch", "torchvision"),
    "meta": ("learn2learn",),
    "serve": ("httpx", "prometheus_client", "python_multipart"),
    "postgres": ("psycopg", "psycopg_pool"),
    "heif": ("pillow_heif",),
    "parquet": ("pyarrow",),
    "cluster": ("fsspec", "ray", "s3fs"),
    "plots": ("matplotlib",),
    "tensorboard": ("tensorboard",),
}
"""Extra to the modules that it brings, by the names under which they are imported."""
_EXTRA_OF = {module: extra for extra, modules in PACKAGES.items() for module in modules}


def installed(module: str) -> bool:
    """Whether a module of ``PACKAGES`` is there; it is not imported."""
    return find_spec(module) is not None


def cure(module: str) -> str:
    """The end of a sentence that begins "X needs", for a module of ``PACKAGES`` that is not there."""
    extra = _EXTRA_OF[module]
    return (
        f"{module}, which is not installed; install it: pip install 'piaa[{extra}]'  "
        f"(in a clone: uv run --extra {extra} piaa ...)"
    )


def require(asked: str, *modules: str) -> None:
    """Refuse early what would fail late.

    Args:
        asked: what needs them, the subject of the message.
        modules: of ``PACKAGES``.

    Raises:
        MissingPackage: one is not installed.
    """
    for module in modules:
        if not installed(module):
            raise MissingPackage(f"{asked} needs {cure(module)}")


@contextmanager
def needing(asked: str) -> Iterator[None]:
    """Within, an import that fails for want of an extra says which.

    Args:
        asked: what needs it, the subject of the message.

    Raises:
        MissingPackage: a module of ``PACKAGES`` is not installed. Any other missing module is raised as it
            is: it is a fault of ours, and no extra would cure it.
    """
    try:
        yield
    except ImportError as error:
        module = _missing(error)
        if module is None:
            raise
        raise MissingPackage(f"{asked} needs {cure(module)}") from error


def _missing(error: BaseException | None) -> str | None:
    """The optional package that is behind an import error, or behind the one that it was raised from."""
    while error is not None:
        if isinstance(error, ModuleNotFoundError) and error.name:
            module = error.name.partition(".")[0]
            if module in _EXTRA_OF and not installed(module):
                return module
        error = error.__cause__
    return None
