"""Nodes and constants of a graph in the making."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper


class Nodes:
    """A list of nodes that grows; each has one output, whose name is new unless it is given.

    Args:
        prefix: of new names, so that those of two lists differ.
    """

    def __init__(self, prefix: str) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self._prefix = prefix

    def add(self, kind: str, *inputs: str | NDArray[Any], output: str = "", **options: Any) -> str:
        """Add a node.

        Args:
            kind: the operator.
            inputs: names, or arrays, which become constants.
            output: its name; empty: a new one.
            options: the operator's attributes.

        Returns:
            the name of the output.
        """
        name = output or f"{self._prefix}{len(self.nodes)}"
        names = [
            value
            if isinstance(value, str)
            else self._constant(f"{self._prefix}{len(self.nodes)}.{place}", value)
            for place, value in enumerate(inputs)
        ]
        self.nodes.append(helper.make_node(kind, names, [name], **options))
        return name

    def _constant(self, name: str, value: NDArray[Any]) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name
