"""Whether somebody else's graph may be run here: what it holds, and how large it can become.

Only operators of ONNX itself, each run once: no branches, loops, functions or other domains, nothing random,
nothing whose size depends on what is in a photo, no weights in other files. For one photo every size is then
known beforehand, so time and memory of one photo are those of every photo.

All of this runs in a process of its own (:mod:`generic.stems.trial`), for the libraries that read a graph are
not made to resist one that was written against them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

from generic.errors import CheckpointError
from generic.photos.find import printable
from generic.stems.spec import Spec

MOST_NODES = 20_000
MOST_NUMBERS = 2**28
"""Of one tensor: 1 GiB."""
DOMAINS = ("", "ai.onnx")
REFUSED = {
    *("If", "Loop", "Scan"),
    *("NonZero", "Unique", "Compress", "NonMaxSuppression"),
    *("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"),
    *("Optional", "OptionalGetElement", "OptionalHasElement", "SequenceMap", "SequenceConstruct"),
    *("StringConcat", "StringNormalizer", "StringSplit", "RegexFullMatch", "TfIdfVectorizer", "ImageDecoder"),
}
"""Operators that branch, repeat, draw lots, make sizes of values, or do other than compute."""
_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16)
_CURE = "export it for one photo of a fixed size, with fixed shapes, for inference"


def checked(model: ModelProto, spec: Spec) -> ModelProto:
    """The part of a graph that leads from the photo to the embedding, for one photo, with all its sizes.

    Args:
        model: somebody's; it is changed.
        spec: what is said of it.

    Raises:
        CheckpointError: it may not be run, or the specification does not fit it.
    """
    refuse_parts(model)
    graph = model.graph
    output = _chosen(graph.output, spec.output, "output")
    _keep_what_leads_to(graph, output)
    constants = {constant.name for constant in graph.initializer}
    entry = _chosen([end for end in graph.input if end.name not in constants], spec.input, "input")
    _fix(entry, (1, 3, spec.size, spec.size) if spec.layout == "NCHW" else (1, spec.size, spec.size, 3))
    del graph.input[:], graph.output[:], graph.value_info[:]
    graph.input.append(entry)
    graph.output.append(ValueInfoProto(name=output.name))
    model = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    _refuse_sizes(model.graph)
    return model


def refuse_parts(model: ModelProto) -> None:
    """Raises CheckpointError if a graph holds what may not be run."""
    if model.functions or model.training_info:
        raise CheckpointError(f"the graph has functions or training parts; {_CURE}")
    nodes = model.graph.node
    if not 0 < len(nodes) <= MOST_NODES:
        raise CheckpointError(f"the graph has {len(nodes)} nodes, expected 1 to {MOST_NODES}")
    for domain in [entry.domain for entry in model.opset_import] + [node.domain for node in nodes]:
        if domain not in DOMAINS:
            raise CheckpointError(
                f"the graph uses operators of {printable(domain)!r}, expected those of ONNX alone; export it "
                f"without optimisations for one runtime"
            )
    for node in nodes:
        if node.op_type in REFUSED or any(_has_graph(attribute) for attribute in node.attribute):
            raise CheckpointError(f"the graph has a node of type {printable(node.op_type)!r}; {_CURE}")
    if model.graph.sparse_initializer or any(_lies_elsewhere(tensor) for tensor in _tensors(model.graph)):
        raise CheckpointError(
            "the graph has weights in other files, or sparse ones; save it as one file (onnx.save_model with "
            "save_as_external_data=False)"
        )


def _has_graph(attribute: AttributeProto) -> bool:
    return attribute.HasField("g") or bool(attribute.graphs) or attribute.HasField("sparse_tensor")


def _tensors(graph: GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield attribute.t
            yield from attribute.tensors


def _lies_elsewhere(tensor: TensorProto) -> bool:
    return tensor.data_location == TensorProto.EXTERNAL or bool(tensor.external_data)


def _chosen(ends: Iterable[ValueInfoProto], name: str, what: str) -> ValueInfoProto:
    """The end of this name, or the only one."""
    there = {end.name: end for end in ends}
    if name in there:
        return there[name]
    if name or len(there) != 1:
        names = ", ".join(printable(each) for each in list(there)[:10]) or "none"
        raise CheckpointError(
            f"the graph has the {what}s {names}, but the specification "
            + (f"names {printable(name)!r}" if name else f"names none; add {what} = NAME")
        )
    return next(iter(there.values()))


def _keep_what_leads_to(graph: GraphProto, output: ValueInfoProto) -> None:
    """Drop all nodes, constants and inputs that the output does not need, such as a model's other tower."""
    makers = {name: node for node in graph.node for name in node.output}
    needed: set[str] = set()
    waiting = [output.name]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += makers[name].input if name in makers else ()
    for kept in (
        [node for node in graph.node if needed.intersection(node.output)],
        [constant for constant in graph.initializer if constant.name in needed],
        [end for end in graph.input if end.name in needed],
    ):
        field = {NodeProto: graph.node, TensorProto: graph.initializer, ValueInfoProto: graph.input}
        if kept:
            whole = field[type(kept[0])]
            copies = [type(each).FromString(each.SerializeToString()) for each in kept]
            del whole[:]
            whole.extend(copies)


def _fix(entry: ValueInfoProto, shape: tuple[int, ...]) -> None:
    """Give an input its shape for one photo."""
    kind = entry.type.tensor_type
    if kind.elem_type not in _FLOATS:
        name = TensorProto.DataType.Name(kind.elem_type)
        raise CheckpointError(f"the input {printable(entry.name)} takes {name}, expected FLOAT or FLOAT16")
    given = [dim.dim_value or None for dim in kind.shape.dim]
    if len(given) != 4 or any(have not in (None, want) for have, want in zip(given, shape, strict=True)):
        raise CheckpointError(
            f"the input {printable(entry.name)} has shape {given}, expected {list(shape)} by the "
            f"specification (None: any); correct its size or layout, or export the network for one photo"
        )
    for dim, side in zip(kind.shape.dim, shape, strict=True):
        dim.dim_value = side


def _refuse_sizes(graph: GraphProto) -> None:
    """Raises CheckpointError unless every tensor's size is known, and small enough."""
    known = {end.name: end.type.tensor_type.shape for end in (*graph.value_info, *graph.output)}
    for node in graph.node:
        for name in filter(None, node.output):
            dims = known[name].dim if name in known else None
            if dims is None or not all(dim.HasField("dim_value") for dim in dims):
                raise CheckpointError(
                    f"the size of {printable(name)} (a {printable(node.op_type)}) is not known for a photo "
                    f"of a known size; {_CURE}"
                )
            numbers = 1
            for dim in dims:
                numbers *= max(dim.dim_value, 0)
            if numbers > MOST_NUMBERS:
                raise CheckpointError(
                    f"the tensor {printable(name)} would hold {numbers:,} numbers, at most {MOST_NUMBERS:,} "
                    f"are taken"
                )
