"""Which models there are: those in the package by name, any other by its file."""

from __future__ import annotations

from pathlib import Path

from generic.errors import CheckpointError

DEFAULT = "piaa-lite"
SUFFIXES = (".onnx", ".safetensors")
_FOLDER = Path(__file__).parents[1] / "weights"


def embedded_models() -> dict[str, Path]:
    """Names and files of the models in the package."""
    return {path.stem: path for path in sorted(_FOLDER.iterdir()) if path.suffix in SUFFIXES}


def find_model(name: str | Path = DEFAULT) -> Path:
    """The file of a model.

    Args:
        name: the name of an embedded model, or the path of a model file.

    Raises:
        CheckpointError: it is neither.
    """
    models = embedded_models()
    if str(name) in models:
        return models[str(name)]
    if Path(name).is_file():
        return Path(name)
    raise CheckpointError(
        f"there is no model {str(name)!r}: it is neither one of the package's ({', '.join(models)}) "
        f"nor a file; `piaa models list` shows the package's"
    )
