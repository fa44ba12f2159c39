from __future__ import annotations

import json

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from generic.eat import EAT, EATConfig
from generic.eat.config import PER_STAGE
from generic.errors import ShapeError

TINY = {
    "img_size": 64,
    "dims": (4, 8),
    "heads": (1, 2),
    "groups": (1, 2),
    "k_offset": 3,
    "stages": ("LS", "EE"),
    "windows": 4,
    "k_in": 4,
}


def refused(**options):
    with pytest.raises(ShapeError) as error:
        EATConfig(**options)
    return str(error.value)


# ---- problems ----


def test_every_problem_is_told_at_once():
    message = refused(
        dims=(8, 16, 32),
        stages=("LS", "", "EX"),
        heads=(1, 2),
        windows=[7, 7, 7, 7],
        final=("tanh", "clip", "none"),
        bias="table",
        rotate="pixel",
        offset_unit="pixel",
    )
    assert message == (
        "EAT cannot be built: stage 2 is '', expected letters out of LSDE; "
        "stage 3 is 'EX', expected letters out of LSDE; "
        "heads has 2 values for 3 stages; groups has 4 values for 3 stages; "
        "windows has 4 values for 3 stages; "
        "k_in has 4 values for 3 stages; k_offset has 4 values for 3 stages; "
        "rotate 'pixel' is unknown, expected one of point, image, batch, none; "
        "offset_unit 'pixel' is unknown, expected one of map, cell; "
        "final 'clip' is unknown, expected one of tanh, clamp, none; "
        "bias 'table' is unknown, expected one of aligned, edges, depthwise, pairs, none"
    )


def test_stages_are_as_many_as_dims():
    assert refused(dims=(8, 16, 32, 64), stages=("LS", "EE", "E")) == (
        "EAT cannot be built: 4 dims but 3 stages"
    )


@pytest.mark.parametrize("name", PER_STAGE)
def test_every_field_of_a_stage_is_counted(name):
    one = getattr(EATConfig(), name)
    one = one[0] if isinstance(one, tuple) else one
    assert refused(**{name: (one, one)}) == f"EAT cannot be built: {name} has 2 values for 4 stages"


def test_the_network_refuses_what_the_record_refuses():
    with pytest.raises(ShapeError) as error:
        EAT(img_size=250)
    assert str(error.value) == (
        "EAT cannot be built: img_size 250 does not divide into patches, stages and windows; "
        "the nearest sizes that do: 224 and 448"
    )


def test_an_unknown_field_is_an_error():
    with pytest.raises(TypeError, match="unexpected keyword argument 'depth'"):
        EAT(depth=3)


# ---- sizes ----


@pytest.mark.parametrize(
    ("size", "nearest"), [(0, "32"), (-5, "32"), (31, "32"), (33, "32 and 64"), (65, "64 and 96")]
)
def test_the_nearest_sizes(size, nearest):
    assert refused(**{**TINY, "windows": 2, "img_size": size, "patch_size": 16}) == (
        f"EAT cannot be built: img_size {size} does not divide into patches, stages and windows; "
        f"the nearest sizes that do: {nearest}"
    )


def divides(size, options):
    """Every map is a whole number of positions, and of windows where a stage has windows."""
    side = size / options["patch_size"]
    for letters, window in zip(options["stages"], options["windows"], strict=True):
        if side < 1 or side != int(side) or (set(letters) & {"L", "S"} and side % window):
            return False
        side /= 2
    return True


@settings(max_examples=20)
@given(
    size=st.integers(1, 100),
    patch=st.integers(1, 4),
    stages=st.lists(st.sampled_from(["L", "LS", "E", "EL", "D"]), min_size=1, max_size=3),
    windows=st.lists(st.integers(2, 5), min_size=3, max_size=3),
    overlap=st.booleans(),
)
def test_named_sizes_build_and_none_lies_between(size, patch, stages, windows, overlap):
    n = len(stages)
    options = {
        "dims": (2,) * n,
        "heads": 1,
        "groups": 1,
        "k_offset": 3,
        "k_in": 8,
        "stages": tuple(stages),
        "windows": tuple(windows[:n]),
        "patch_size": patch,
        "conv_patches": overlap,
        "bias": "none",
    }
    if divides(size, options):
        sizes = [size]
    else:
        named = refused(**options, img_size=size).rpartition(": ")[2]
        sizes = [int(one) for one in named.split(" and ")]
        below, above = (sizes[0], sizes[-1]) if len(sizes) == 2 else (0, sizes[0])
        assert below < size < above
        assert not any(divides(one, options) for one in range(below + 1, above))
    assume(max(sizes) <= 96)
    for one in sizes:
        network = EAT(**options, img_size=one).eval()
        with torch.no_grad():
            assert network(torch.zeros(1, 3, one, one)).shape == (1, 10)


# ---- values ----


def test_one_value_stands_for_every_stage():
    one = EATConfig(**TINY)
    each = EATConfig(**{**TINY, "windows": (4, 4), "k_in": (4, 4), "k_offset": (3, 3)})
    for name in PER_STAGE:
        assert [one.of_stage(name, stage) for stage in (0, 1)] == [
            each.of_stage(name, stage) for stage in (0, 1)
        ]
    networks = []
    for config in (one, each):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            networks.append(EAT(**{name: getattr(config, name) for name in TINY}).eval())
    with torch.no_grad():
        x = torch.ones(1, 3, 64, 64)
        assert torch.equal(networks[0](x), networks[1](x))


def test_values_of_a_stage_go_to_that_stage():
    network = EAT(
        img_size=32,
        dims=(4, 8),
        heads=(1, 2),
        groups=(1, 2),
        stages=("LE", "LE"),
        windows=(4, 2),
        k_in=(5, 3),
        k_offset=(5, 7),
        depthwise_mlp=(False, True),
        offsets=(True, False),
        offset_range=(None, 0.5),
        final=("clamp", "none"),
        bias=("edges", "pairs"),
    )
    shapes = {name: tuple(value.shape) for name, value in network.named_parameters()}
    first, second = (stage.blocks for stage in network.stages)
    assert shapes["stages.0.blocks.0.attention.bias_table"] == (1, 7, 7)
    assert shapes["stages.1.blocks.0.attention.bias_table"] == (2, 3, 3)
    assert shapes["stages.0.blocks.1.attention.bias_table"] == (1, 15, 15)
    assert shapes["stages.1.blocks.1.attention.bias_table"] == (2, 16, 4)
    assert shapes["stages.0.blocks.1.attention.interest.conv.weight"] == (2, 4, 5, 5)
    assert shapes["stages.1.blocks.1.attention.interest.conv.weight"] == (2, 8, 3, 3)
    assert shapes["stages.0.blocks.1.attention.offset.depthwise.weight"] == (4, 1, 5, 5)
    assert "stages.0.blocks.1.mlp.depthwise.weight" not in shapes
    assert shapes["stages.1.blocks.1.mlp.depthwise.weight"] == (32, 1, 3, 3)
    assert second[1].attention.offset is None
    assert [blocks[1].attention.offset_range for blocks in (first, second)] == [None, 0.5]
    assert [blocks[1].attention.final for blocks in (first, second)] == ["clamp", "none"]
    assert [blocks[1].attention.groups for blocks in (first, second)] == [1, 2]


def test_a_kernel_larger_than_its_map_is_as_large_as_its_map():
    network = EAT(**{**TINY, "k_in": 64})
    assert network.stages[1].blocks[0].attention.grid == (1, 1)


def test_options_survive_json():
    options = {
        **TINY,
        "offset_range": (None, 2.0),
        "depthwise_mlp": (True, False),
        "final": ("tanh", "none"),
        "drop_path_rate": 0.1,
    }
    network = EAT(**options)
    again = EAT(**json.loads(json.dumps(network.options)))
    assert again.config == network.config
    assert again.config == EATConfig(**options)
    assert set(network.state_dict()) == set(again.state_dict())


def test_the_record_does_not_change():
    with pytest.raises(AttributeError):
        EATConfig().img_size = 1
