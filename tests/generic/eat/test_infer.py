"""The released constructor's arguments, read off the shapes of weights."""

from __future__ import annotations

import pytest
import torch

from generic.eat.infer import infer_config


def test_a_released_configuration_is_read_off_the_shapes(config, shaped):
    assert infer_config(shaped(config)) == config


@pytest.mark.parametrize("size", ["tiny", "small", "base"])
def test_the_published_dat_are_known(size, published_dat, shaped):
    assert infer_config(shaped(published_dat[size], interest=False)) == published_dat[size]


@pytest.mark.parametrize(
    "change",
    [
        {"img_size": 64},
        {"patch_size": 4, "img_size": 96, "window_sizes": [3, 3, 3, 3]},
        {"expansion": 4},
        {"expansion": 2.5},
        {"dim_stem": 8},
        {"num_classes": 1},
        {"use_dwc_mlps": [True] * 4},
        {"use_dwc_mlps": [True, False, False, True]},
        {"dwc_pes": [False, False, True, False]},
        {"fixed_pes": [False, False, True, True]},
        {"fixed_pes": [False, False, False, True]},
        {"use_pes": [False] * 4},
        {"depths": [2, 2, 6, 2], "stage_spec": [["L", "S"], ["L", "S"], ["L", "D"] * 3, ["L", "D"]]},
        {"stage_spec": [["L", "S"], ["L", "S"], ["D", "D"], ["D", "D"]], "window_sizes": [4, 2, 7, 7]},
        {"stage_spec": [["L", "L"], ["L", "L"], ["L", "D"], ["L", "D"]]},
        {"heads": [2, 4, 8, 8], "groups": [-1, -1, 4, 8]},
    ],
)
def test_each_property_of_a_network_is_seen(change, config, shaped):
    config = {**config, **change}
    assert infer_config(shaped(config)) == config


def test_overlapping_patches_are_seen_between_stages_and_their_stride_is_4(config, shaped):
    config = {**config, "use_conv_patches": True, "patch_size": 4, "img_size": 64}
    assert infer_config(shaped(config)) == config


def test_the_golden_configuration(golden_networks):
    for state, config in golden_networks:
        found = infer_config(state)
        # Drop rates do nothing after training; the released layer never reads sr_ratios.
        unseen = {"drop_rate", "attn_drop_rate", "drop_path_rate", "sr_ratios"}
        assert found == {key: value for key, value in config.items() if key not in unseen}


def test_shifted_windows_without_their_mask_are_plain_unless_said_otherwise(config, shaped):
    state = {name: value for name, value in shaped(config).items() if not name.endswith("attn_mask")}
    assert infer_config(state) == {**config, "stage_spec": [["L", "L"], ["L", "L"], ["L", "D"], ["L", "D"]]}
    assert infer_config(state, {"stage_spec": config["stage_spec"]}) == config


def test_without_masks_and_tables_the_size_is_224(config, shaped):
    state = {
        name: value for name, value in shaped(config).items() if "mask" not in name and "rpe" not in name
    }
    assert infer_config(state)["img_size"] == 224
    assert infer_config(state, {"img_size": 96})["img_size"] == 96


def test_a_table_that_can_be_read_in_two_ways(config, shaped):
    # In stage 3: displacements on 5 x 5 positions, or pairs of 3 x 3. Alone they are displacements.
    plain = {"stage_spec": [["L", "L"], ["L", "L"], ["L", "D"], ["L", "L"]], "window_sizes": [5] * 4}
    alone = {**config, **plain, "img_size": 40, "groups": [-1, -1, 2, -1], "strides": [-1, -1, 1, -1]}
    alone |= {"offset_range_factor": [-1, -1, 2, -1], "use_pes": [False, False, True, False]}
    assert infer_config(shaped(alone)) == alone
    # A mask says which.
    pairs = {**alone, "img_size": 24, "fixed_pes": [False, False, True, False]}
    pairs |= {"stage_spec": [["L", "S"], *alone["stage_spec"][1:]], "window_sizes": [4, 3, 3, 3]}
    assert infer_config(shaped(pairs)) == pairs


def test_heads_that_cannot_be_seen_must_be_given(config, shaped, refused):
    spec = [["L", "S"], ["L", "S"], ["D", "D"], ["L", "D"]]
    config = {**config, "stage_spec": spec, "use_pes": [False] * 4, "window_sizes": [4, 2, 7, 2]}
    assert refused(infer_config, shaped(config)) == (
        "the heads of stage 3 cannot be seen in the weights; give all with --config, for example "
        '{"heads": [4, 8, 16, 32]}'
    )
    assert infer_config(shaped(config), {"heads": [1, 2, 4, 8]}) == config


def not_eat(reason):
    return (
        f"these are not the weights of EAT or DAT: {reason}; known are the released EAT models and DAT of "
        f"CVPR 2022 (dat_tiny, dat_small, dat_base)"
    )


def test_weights_of_another_network_are_refused(config, shaped, refused):
    state = shaped(config)
    assert refused(infer_config, {"a.weight": torch.zeros(2)}) == not_eat("patch_proj.0.weight is missing")
    for name in ("cls_head.weight", "stages.2.attns.0.relative_position_bias_table"):
        fewer = {key: value for key, value in state.items() if key != name}
        assert refused(infer_config, fewer) == not_eat(f"{name} is missing")
    torn = {**state, "stages.2.attns.1.rpe_table": torch.empty(4, 13, 13)}
    assert refused(infer_config, torn) == not_eat(
        "their masks and position tables belong to different image sizes"
    )
