from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from generic.eat import EAT, DeformableAttention, preset, stage_letters
from generic.eat.layouts import DEPTHS, RESOLUTIONS, SIZES, TABLE4, TABLE5
from generic.eat.windows import WindowAttention
from generic.errors import ShapeError

TINY = {
    "img_size": 64,
    "dims": (8, 16, 32, 64),
    "heads": (1, 2, 4, 8),
    "groups": (1, 1, 2, 4),
    "windows": 2,
    "k_in": (8, 4, 2, 1),
}


def network(layout="SSEE", depths=(2, 1, 2, 1), **options) -> EAT:
    """A small network, every parameter far from zero."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        built = EAT(**{**TINY, "stages": stage_letters(layout, depths), **options}).eval()
        with torch.no_grad():
            for parameter in built.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
    return built


def photo():
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def letter(attention) -> str:
    """What an attention module is, by what it holds."""
    if isinstance(attention, WindowAttention):
        return "S" if attention.shift else "L"
    assert isinstance(attention, DeformableAttention)
    return "D" if attention.interest is None and attention.guidance is None else "E"


def letters(built: EAT) -> tuple[str, ...]:
    return tuple("".join(letter(block.attention) for block in stage.blocks) for stage in built.stages)


# ---- Table 4 ----

EXPECTED = {"S": ("LS", "L"), "D": ("DD", "D"), "E": ("EE", "E")}


def test_table_4_names_twelve_layouts():
    assert len(set(TABLE4)) == 12
    assert {name for name in TABLE4 if "E" not in name} == {"SSSS", "DDDD"}
    assert all(len(name) == 4 for name in TABLE4)


@pytest.mark.parametrize("layout", TABLE4)
def test_every_layout_of_table_4_runs(layout):
    built = network(layout, (2, 2, 1, 1))
    depths = (0, 0, 1, 1)
    expected = tuple(EXPECTED[stage][short] for stage, short in zip(layout, depths, strict=True))
    assert letters(built) == expected
    with torch.no_grad():
        output = built(photo())
    assert output.shape == (2, 10)
    assert output.isfinite().all()
    assert (output[0] - output[1]).abs().max() > 1e-4


def test_layouts_are_different_networks():
    with torch.no_grad():
        outputs = {layout: network(layout)(photo()) for layout in ("SSSS", "SSEE", "SSDD", "EEEE")}
    values = list(outputs.values())
    assert all((a - b).abs().max() > 1e-3 for i, a in enumerate(values) for b in values[:i])


def test_the_paper_s_layout():
    for size, third in (("tiny", 6), ("small", 18), ("base", 18)):
        assert preset(size)["stages"] == ("LS", "LS", "E" * third, "EE")
        assert DEPTHS[size] == (2, 2, third, 2)
    assert preset("base", alternate=True)["stages"] == ("LS", "LS", "LE" * 9, "LE")


def test_alternating_blocks():
    assert stage_letters("SDEE", (3, 3, 4, 1), alternate=True) == ("LSL", "LDL", "LELE", "L")
    assert stage_letters("SDEE", (3, 3, 4, 1)) == ("LSL", "DDD", "EEEE", "E")


@pytest.mark.parametrize("layout", ["SSE", "SSEX", "sSEE", ""])
def test_other_layouts_are_refused(layout):
    with pytest.raises(ShapeError) as error:
        stage_letters(layout, (2, 2, 6, 2))
    assert str(error.value) == f"layout {layout!r} needs 4 letters out of S, D and E, such as 'SSEE'"


# ---- Table 5 ----

INTEREST = {"interest.conv.weight", "interest.conv.bias", "interest.start"}
OFFSETS = {"offset.depthwise.weight", "offset.depthwise.bias", "offset.norm.weight", "offset.norm.bias"}
OFFSETS |= {"offset.out.weight"}
REMOVED = {
    "full": set(),
    "no interest": INTEREST,
    "no guide": set(),
    "no offsets, no guide": OFFSETS,
    "no interest, no offsets, no guide": INTEREST | OFFSETS,
}


@pytest.mark.parametrize("row", TABLE5)
def test_every_row_of_table_5_removes_its_parameters_alone(row):
    full, less = network(), network(**TABLE5[row])
    blocks = [(2, 0), (2, 1), (3, 0)]
    expected = {f"stages.{i}.blocks.{j}.attention.{name}" for i, j in blocks for name in REMOVED[row]}
    names = [{name for name, _ in one.named_parameters()} for one in (full, less)]
    assert names[0] - names[1] == expected
    assert names[1] <= names[0]
    assert len(letters(less)[2]) == 2


def test_every_row_of_table_5_is_another_network():
    """With the same weights, only the mechanism that is gone changes the output."""
    full, outputs = network(), []
    with torch.no_grad():
        for row in TABLE5.values():
            less = network(**row)
            state = full.state_dict()
            less.load_state_dict({name: state[name] for name in less.state_dict()})
            outputs.append(less(photo()))
    assert len(outputs) == 5
    # No offsets, whether the points are learned or not, still tells the rows apart.
    assert all((a - b).abs().max() > 1e-5 for i, a in enumerate(outputs) for b in outputs[:i])


def test_table_5_leaves_other_letters_alone():
    full, less = network("DDDD"), network("DDDD", interest=False, guide=False, eta=0.9)
    with torch.no_grad():
        assert torch.equal(full(photo()), less(photo()))


# ---- presets ----


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_presets_take_their_resolution(resolution):
    with torch.device("meta"):
        built = EAT(**preset("tiny", resolution=resolution)).to("meta")
        assert built(torch.empty(2, 3, resolution, resolution)).shape == (2, 10)
    assert letters(built) == ("LS", "LS", "EEEEEE", "EE")
    first, last = built.stages[0].blocks[0].attention, built.stages[2].blocks[0].attention
    assert first.window == {224: 7, 512: 8, 640: 10}[resolution]
    assert last.grid == (resolution // 16 - 7, resolution // 16 - 7)


def n_parameters(dims, depths, heads, groups):
    """Of the paper's layout at 224 pixels, counted by hand."""
    total = 51 * dims[0] + sum(4 * a * b + 2 * b for a, b in pairwise(dims)) + 12 * dims[-1] + 10
    for stage, (d, depth, m, g) in enumerate(zip(dims, depths, heads, groups, strict=True)):
        side, width, k_in, k_offset = 56 >> stage, d // g, (8, 8, 8, 1)[stage], (9, 7, 5, 3)[stage]
        norms_and_mlp = 4 * d + 8 * d**2 + 5 * d
        attention = 4 * d**2 + 4 * d
        table = m * (13 if stage < 2 else 2 * side - 1) ** 2
        interest = 2 * d * k_in**2 + 2 + 2 * (side - k_in + 1) ** 2
        offset = width * k_offset**2 + width + 2 * width + 2 * width
        enhanced = interest + offset if stage >= 2 else 0
        total += depth * (norms_and_mlp + attention + table + enhanced)
    return total


@pytest.mark.parametrize("size", SIZES)
def test_the_presets_have_the_paper_s_widths_and_depths(size):
    dim, m, g, depth = {
        "tiny": (96, 3, (1, 1, 3, 6), 6),
        "small": (96, 3, (1, 1, 3, 6), 18),
        "base": (128, 4, (1, 2, 4, 8), 18),
    }[size]
    with torch.device("meta"):
        built = EAT(**preset(size))
    expected = n_parameters([dim << i for i in range(4)], (2, 2, depth, 2), [m << i for i in range(4)], g)
    assert sum(p.numel() for p in built.parameters()) == expected


def test_points_are_fewer_by_the_kernel():
    with torch.device("meta"):
        built = EAT(**preset("base"))
    grids = [stage.blocks[0].attention.grid for stage in built.stages[2:]]
    assert grids == [(7, 7), (7, 7)]


def test_an_unknown_preset_layout():
    with pytest.raises(ShapeError) as error:
        preset("tiny", layout="SSEL")
    assert str(error.value) == "layout 'SSEL' needs 4 letters out of S, D and E, such as 'SSEE'"
