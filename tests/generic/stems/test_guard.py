"""Graphs that may not be run are refused by what they hold and by how large they can become."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from generic.errors import CheckpointError
from generic.stems.guard import MOST_NODES, checked
from generic.stems.spec import Spec

SPEC = Spec(size=16, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4), licence="CC0-1.0")
NODE = helper.make_node


def refusal(model, spec=SPEC) -> str:
    with pytest.raises(CheckpointError) as caught:
        checked(model, spec)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_plain_tower_passes_with_all_its_sizes(tower):
    graph = checked(tower(batch="n"), SPEC).graph
    sizes = {end.name: [dim.dim_value for dim in end.type.tensor_type.shape.dim] for end in graph.value_info}
    assert sizes["maps"] == [1, 6, 4, 4]
    assert [dim.dim_value for dim in graph.output[0].type.tensor_type.shape.dim] == [1, 6]


def test_what_the_output_does_not_need_is_left_out(tower):
    words = NODE("Identity", ["tokens"], ["text"])
    model = tower(extra=[words], ends=("vector", "text"))
    model.graph.input.append(helper.make_tensor_value_info("tokens", TensorProto.INT64, ["n"]))
    graph = checked(model, Spec(**{**SPEC.__dict__, "output": "vector"})).graph
    assert [end.name for end in graph.input] == ["x"]
    assert "text" not in {name for node in graph.node for name in node.output}


@pytest.mark.parametrize("kind", ["NonZero", "RandomUniformLike", "Unique", "Bernoulli"])
def test_operators_that_draw_lots_or_make_sizes_of_values(tower, kind):
    model = tower(extra=[NODE(kind, ["vector"], ["odd"])], ends=("odd",))
    assert refusal(model).startswith(f"the graph has a node of type {kind!r}; export it for one photo")


def test_branches_and_loops(tower):
    inside = helper.make_graph(
        [NODE("Identity", ["vector"], ["b"])],
        "body",
        [],
        [helper.make_tensor_value_info("b", TensorProto.FLOAT, None)],
    )
    condition = NODE("Constant", [], ["yes"], value=numpy_helper.from_array(np.array(True)))
    node = NODE("If", ["yes"], ["odd"], then_branch=inside, else_branch=inside)
    assert "a node of type 'If'; export it for one photo" in refusal(
        tower(extra=[condition, node], ends=("odd",))
    )


def test_other_domains_functions_and_files(tower):
    model = tower(extra=[NODE("FusedMatMul", ["vector"], ["odd"], domain="com.microsoft")], ends=("odd",))
    assert refusal(model).startswith(
        "the graph uses operators of 'com.microsoft', expected those of ONNX alone"
    )

    model = tower()
    model.functions.add(name="f")
    assert refusal(model).startswith("the graph has functions or training parts; ")

    model = tower()
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL
    model.graph.initializer[0].external_data.add(key="location", value="/etc/passwd")
    assert refusal(model).startswith("the graph has weights in other files, or sparse ones; save it as one")

    # In a node's own value too.
    value = numpy_helper.from_array(np.zeros(6, np.float32))
    value.data_location = TensorProto.EXTERNAL
    value.external_data.add(key="location", value="../secret")
    hidden = [NODE("Constant", [], ["c"], value=value), NODE("Add", ["vector", "c"], ["odd"])]
    assert refusal(tower(extra=hidden, ends=("odd",))).startswith("the graph has weights in other files")


def test_sizes_that_explode(tower):
    big = numpy_helper.from_array(np.array([2**20, 2**20]))
    model = tower(
        extra=[NODE("Constant", [], ["shape"], value=big), NODE("ConstantOfShape", ["shape"], ["odd"])],
        ends=("odd",),
    )
    assert refusal(model) == (
        "the tensor odd would hold 1,099,511,627,776 numbers, at most 268,435,456 are taken"
    )


def test_sizes_that_depend_on_the_photo(tower):
    nodes = [
        NODE("Cast", ["vector"], ["whole"], to=TensorProto.INT64),
        NODE("Flatten", ["whole"], ["rows"]),
        NODE("Squeeze", ["rows"], ["shape"]),
        NODE("ConstantOfShape", ["shape"], ["odd"]),
    ]
    assert refusal(tower(extra=nodes, ends=("odd",))).startswith(
        "the size of odd (a ConstantOfShape) is not known for a photo of a known size; "
    )


def test_too_many_nodes(tower):
    extra = [NODE("Identity", ["vector"], [f"n{i}"]) for i in range(MOST_NODES)]
    assert refusal(tower(extra=extra)) == f"the graph has {MOST_NODES + 3} nodes, expected 1 to {MOST_NODES}"


@pytest.mark.parametrize(
    ("options", "given", "reason"),
    [
        ({"batch": 4}, {}, "the input x has shape [4, 3, 16, 16], expected [1, 3, 16, 16] by the"),
        ({"layout": "NHWC"}, {}, "the input x has shape [1, 16, 16, 3], expected [1, 3, 16, 16] by the"),
        ({"kind": TensorProto.DOUBLE}, {}, "the input x takes DOUBLE, expected FLOAT or FLOAT16"),
        ({}, {"size": 32}, "the input x has shape [1, 3, 16, 16], expected [1, 3, 32, 32] by the"),
        ({}, {"output": "z"}, "the graph has the outputs vector, but the specification names z"),
        ({}, {"input": "z"}, "the graph has the inputs x, but the specification names z"),
        (
            {"ends": ("vector", "maps")},
            {},
            "the graph has the outputs vector, maps, but the specification nam",
        ),
    ],
)
def test_a_specification_that_does_not_fit(tower, options, given, reason):
    assert reason in refusal(tower(**options), Spec(**{**SPEC.__dict__, **given})).replace("'", "")
