"""A graph run by ONNX Runtime on the CPU: several callers, one thread each.

Two callers of one thread answer more photos a second than one caller of two threads, and the sums of a call
are then made in one order whatever the number of cores.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
from numpy.typing import NDArray

from generic.cache.features import Features
from generic.engine.engine import Engine, usable_cores
from generic.errors import CheckpointError

INPUT, OUTPUT = "photo", "vector"
"""Names in the graph: uint8 (1, size, size, 3), and float32 (1, 1 + d)."""
_SILENT = 3
"""Level of messages: errors. Warnings of the library say nothing to who scores photos."""


class OnnxEngine(Engine):
    """ONNX Runtime on one graph.

    Args:
        content: a serialised model with the input and the output named above.
        shown: what messages call it.

    Raises:
        CheckpointError: ONNX Runtime cannot load it.
    """

    def __init__(self, content: bytes, shown: str) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = _SILENT
        try:
            self._session: Any = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the library's own errors have no common base
            raise CheckpointError(
                f"model file {shown} has a graph that ONNX Runtime {onnxruntime.__version__} cannot load "
                f"({' '.join(str(error).split())[:300]}); export the model again"
            ) from error
        self.callers = usable_cores()

    def vector(self, pixels: NDArray[np.uint8]) -> Features:
        """See :meth:`Engine.vector`."""
        vector: Features = self._session.run([OUTPUT], {INPUT: pixels[None]})[0][0]
        return vector
