"""A graph run by ONNX Runtime: several callers, one thread each.

Two callers of one thread answer more photos a second than one caller of two threads, and the sums of a call
are then made in one order whatever the number of cores. On a GPU the sums are made in another order: the last
digits differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
from numpy.typing import NDArray

from generic.cache.features import Features
from generic.engine.engine import Engine, usable_cores
from generic.errors import CheckpointError, EngineError

INPUT, OUTPUT = "photo", "vector"
"""Names in the graph: uint8 (1, size, size, 3), and float32 (1, 1 + d)."""
CPU, GPU = "CPUExecutionProvider", "CUDAExecutionProvider"
_ON_GPU = {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}
"""Sums in whole single precision, by what is chosen without timing it: the same in every run."""
_SILENT = 3
"""Level of messages: errors. Warnings of the library say nothing to who scores photos."""


class OnnxEngine(Engine):
    """ONNX Runtime on one graph.

    Args:
        content: a serialised model with the input and the output named above.
        shown: what messages call it.
        gpu: whether an NVIDIA GPU runs it.

    Raises:
        CheckpointError: ONNX Runtime cannot load it.
        EngineError: a GPU is asked for, and ONNX Runtime finds none.
    """

    def __init__(self, content: bytes, shown: str, *, gpu: bool = False) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = _SILENT
        if gpu:
            _check_gpu(onnxruntime.get_available_providers())
        try:
            self._session: Any = onnxruntime.InferenceSession(
                content, options, providers=[(GPU, _ON_GPU)] if gpu else [CPU]
            )
        except Exception as error:  # the library's own errors have no common base
            raise _refused(error, shown, gpu=gpu) from error
        if gpu:
            _check_gpu(self._session.get_providers())  # without CUDA's libraries it is left out in silence
        self.callers = usable_cores()

    def vector(self, pixels: NDArray[np.uint8]) -> Features:
        """See :meth:`Engine.vector`."""
        vector: Features = self._session.run([OUTPUT], {INPUT: pixels[None]})[0][0]
        return vector


def _refused(error: Exception, shown: str, *, gpu: bool) -> CheckpointError | EngineError:
    runtime, said = f"ONNX Runtime {onnxruntime.__version__}", " ".join(str(error).split())[:300]
    if gpu:
        return EngineError(
            f"{runtime} cannot run model file {shown} on a GPU ({said}); see that its CUDA and cuDNN fit the "
            "driver, or leave --gpu out"
        )
    return CheckpointError(
        f"model file {shown} has a graph that {runtime} cannot load ({said}); export the model again"
    )


def _check_gpu(providers: Sequence[str]) -> None:
    if GPU not in providers:
        raise EngineError(
            f"a GPU is asked for, and ONNX Runtime {onnxruntime.__version__} has {', '.join(providers)} here "
            f"and not {GPU}; install onnxruntime-gpu in the place of onnxruntime, with CUDA and cuDNN, or "
            "leave --gpu out"
        )
