"""The moments at which tests/kill.py kills: spread over a run, and at what the run is for."""

from __future__ import annotations

import pytest

N = 6
LINES = 40
WRITE = f"""
import sys, time
time.sleep(float(sys.argv[1]))
print("begins", flush=True)
with open("lines.txt", "w") as file:
    for number in range({LINES}):
        print(number, file=file, flush=True)
        time.sleep(0.01)
"""


def test_a_moment_lies_in_each_part_of_the_run(kill):
    found = list(kill.Moments(N, 12.0, "a name"))
    assert [int(moment // 2) for moment in found] == list(range(N))
    assert found == list(kill.Moments(N, 12.0, "a name")) != list(kill.Moments(N, 12.0, "another"))


def test_a_run_that_had_finished_is_the_new_measure(kill):
    slow, quick = kill.Moments(N, 12.0, "a name"), list(kill.Moments(N, 3.0, "a name"))
    moments = iter(slow)
    first = next(moments)
    assert (slow.killed(None), slow.killed(3.0), slow.killed(7.0)) == (True, False, False)
    assert [first / 4, *moments] == pytest.approx(quick)


@pytest.mark.parametrize("begins_after_s", [0, 0.5])
def test_runs_are_killed_later_and_later(kill, tmp_path, begins_after_s):
    lines = tmp_path / "lines.txt"
    program = kill.snippet(WRITE, begins_after_s)
    prepared, written = [], []

    def prepare():
        prepared.append(lines.unlink(missing_ok=True))

    for one in kill.kills(program, N, folder=tmp_path, name="lines", prepare=prepare, from_first_line=True):
        assert one.number == len(written)
        written.append(len(lines.read_text().splitlines()) if lines.exists() else 0)
        assert one.killed or written[-1] == LINES
    assert len(prepared) == N + 1
    # However long the program takes before it begins.
    assert written[0] < LINES / 2 < written[-1]


def test_without_a_first_line_the_start_is_part_of_the_run(kill, tmp_path):
    lines = tmp_path / "lines.txt"
    found = list(kill.kills(kill.snippet(WRITE, 1), 2, folder=tmp_path, name="start", prepare=lines.touch))
    assert [one.killed for one in found] == [True, True]
    assert found[1].delay_s > 0.6


def test_a_program_that_fails_undisturbed_is_said_with_its_reason(kill, tmp_path):
    with pytest.raises(AssertionError, match="ZeroDivisionError: division by zero"):
        next(kill.kills(kill.snippet("1 / 0"), 2, folder=tmp_path, name="fails"))


def test_a_program_that_had_finished_was_not_killed(kill, tmp_path):
    took = kill.kill_after(60, kill.snippet("print('done')"), tmp_path, from_first_line=True)
    assert 0 < took < 60
    assert kill.kill_after(0.2, kill.snippet("import time; time.sleep(60)"), tmp_path) is None
