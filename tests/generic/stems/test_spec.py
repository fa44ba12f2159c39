"""What is said of somebody else's network: read, or refused with all that is wrong with it."""

from __future__ import annotations

import pytest

from generic.errors import CheckpointError
from generic.stems.spec import Spec, read_spec

GOOD = 'size = 224\nmean = [0, 0.5, 1]\nstd = [1, 1, 0.5]\nlicence = "MIT"\n'


def test_a_specification_is_read(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text(GOOD)
    assert read_spec(path) == Spec(size=224, mean=(0.0, 0.5, 1.0), std=(1.0, 1.0, 0.5), licence="MIT")
    path.write_text(
        GOOD + 'range = [-1, 1]\nlayout = "NHWC"\ninput = "x"\noutput = "y"\ncitation = "A, 2024"'
    )
    assert read_spec(path) == Spec(
        size=224,
        mean=(0.0, 0.5, 1.0),
        std=(1.0, 1.0, 0.5),
        range=(-1.0, 1.0),
        layout="NHWC",
        input="x",
        output="y",
        licence="MIT",
        citation="A, 2024",
    )


def test_all_that_is_wrong_is_said_at_once(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text(
        "size = 4000\nmean = [0, 1]\nstd = [1, 0, 1]\nrange = [1, 0]\n"
        'layout = "CHW"\ninput = ""\ncrop = true\n'
    )
    with pytest.raises(CheckpointError) as caught:
        read_spec(path)
    assert str(caught.value) == (
        f"{path}: licence is missing; crop is not known, expected size, mean, std, licence, range, layout, "
        f"input, output, citation; size is 4000, expected pixels from 8 to 1024; mean is [0, 1], expected 3 "
        f"finite numbers; std is [1, 0, 1], expected numbers above 0; range is [1, 0], expected black below "
        f"white; layout is 'CHW', expected NCHW or NHWC; input is '', expected a text of 1 to 2000 "
        f"characters; docs/models.md shows such a file"
    )


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("size = true", "size is True, expected pixels from 8 to 1024"),
        ('size = "224"', "size is '224', expected pixels from 8 to 1024"),
        ("mean = [nan, 0, 0]", "mean is [nan, 0, 0], expected 3 finite numbers"),
        ("licence = 7", "licence is '7', expected a text of 1 to 2000 characters"),
    ],
)
def test_values_of_another_type(tmp_path, line, reason):
    key = line.partition(" ")[0]
    kept = [each for each in GOOD.splitlines() if not each.startswith(key)]
    path = tmp_path / "a.toml"
    path.write_text("\n".join([*kept, line]))
    with pytest.raises(CheckpointError) as caught:
        read_spec(path)
    assert reason in str(caught.value)


@pytest.mark.parametrize("content", [b"size = ", b"\xff\xfe"])
def test_what_is_no_toml(tmp_path, content):
    path = tmp_path / "a.toml"
    for write in (lambda: path.write_bytes(content), lambda: path.unlink()):
        write()
        with pytest.raises(CheckpointError) as caught:
            read_spec(path)
        assert str(caught.value).startswith(f"{path} cannot be read as TOML (")
        assert "\n" not in str(caught.value)
