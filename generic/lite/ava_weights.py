"""NIMA's weights, trained on AVA by idealo (github.com/idealo/image-quality-assessment, Apache-2.0).

They are read once, by training, out of the very file that idealo published as
``models/MobileNet/weights_mobilenet_aesthetic_0.07.hdf5``: whatever file is given, its checksum must be that
one's. Needs the package h5py.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from generic.errors import CheckpointError, MissingPackage
from generic.lite.mobile_net import WIDTHS, MobileNet

SHA256 = "e563ad91b3d47410e45f7238f07ab8f6abd1bd0c4b18a4b0af9c681a21a91cb2"
_EPSILON = 1e-3
"""Of Keras' norms."""


def ava_network(path: Path) -> MobileNet:
    """The network with idealo's weights, in evaluation mode.

    Raises:
        CheckpointError: the file is missing or another one.
        MissingPackage: the package h5py is not installed.
    """
    _check(path)
    try:
        import h5py  # type: ignore[import-not-found]
    except ImportError as error:
        raise MissingPackage(
            "reading NIMA's weights needs h5py, which is not installed; install it: pip install h5py"
        ) from error
    with h5py.File(path, "r") as file:
        arrays: dict[str, NDArray[Any]] = {}
        file.visititems(lambda name, item: _keep(arrays, name, item))
    network = MobileNet()
    state = _convolution(arrays, "conv1", "first")
    for number in range(len(WIDTHS)):
        state |= _convolution(arrays, f"conv_dw_{number + 1}", f"blocks.{number}.depthwise")
        state |= _convolution(arrays, f"conv_pw_{number + 1}", f"blocks.{number}.pointwise")
    state |= {"out.weight": arrays["dense_1/kernel"].T, "out.bias": arrays["dense_1/bias"]}
    network.load_state_dict({key: torch.from_numpy(np.array(value)).float() for key, value in state.items()})
    return network.eval().requires_grad_(requires_grad=False)


def _check(path: Path) -> None:
    if not path.is_file():
        raise CheckpointError(f"NIMA's weights {path} do not exist; give idealo's file, or a copy of it")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256:
        raise CheckpointError(
            f"NIMA's weights {path} have the SHA-256 {found[:8]}, expected {SHA256[:8]}: that is not "
            f"idealo's weights_mobilenet_aesthetic_0.07.hdf5; give that file, or a copy of it"
        )


def _keep(arrays: dict[str, NDArray[Any]], name: str, item: Any) -> None:  # noqa: ANN401 - h5py has no types
    """Keep an array of the file under ``layer/array``; what the file says is ``layer/layer/array:0``."""
    if hasattr(item, "shape"):
        layer, *_, array = name.split("/")
        arrays[f"{layer}/{array.removesuffix(':0')}"] = np.asarray(item)


def _convolution(arrays: dict[str, NDArray[Any]], keras: str, own: str) -> dict[str, NDArray[Any]]:
    """A convolution without bias and the norm behind it, as one with a bias."""
    beta, gamma, mean, variance = (
        arrays[f"{keras}_bn/{key}"].astype(np.float64)
        for key in ("beta", "gamma", "moving_mean", "moving_variance")
    )
    scale = gamma / np.sqrt(variance + _EPSILON)
    if f"{keras}/depthwise_kernel" in arrays:  # height, width, channel, 1
        kernel = arrays[f"{keras}/depthwise_kernel"].transpose(2, 3, 0, 1)
    else:  # height, width, in, out
        kernel = arrays[f"{keras}/kernel"].transpose(3, 2, 0, 1)
    return {f"{own}.weight": kernel * scale[:, None, None, None], f"{own}.bias": beta - mean * scale}
