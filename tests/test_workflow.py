"""The workflow for other hosts of the code: read and linted here, and not run."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / ".github" / "workflows" / "tests.yml"
JOBS = yaml.safe_load(FILE.read_text(encoding="utf-8"))["jobs"]
UNIX_ONLY = re.compile(
    r"\b(tmpfs|ordinary_user|as_documented|symlink_to|mkfifo|fcntl|resource\.|os\.(fork|kill|link|getuid|geteuid)|"
    r"signal\.|/dev/|/proc/)"
)
"""What marks a test of which Windows has not the subject, or which compares paths as Linux writes them."""


def steps(job: str) -> list[dict]:
    return JOBS[job]["steps"]


def core_tests() -> list[str]:
    (command,) = [step["run"] for step in steps("core") if "pytest" in step.get("run", "")]
    words = shlex.split(command)
    assert words[:5] == ["uv", "run", "--group", "test", "pytest"]
    return [word for word in words[5:] if not word.startswith("--ignore=")]


def test_linux_runs_what_a_change_must_pass():
    assert [step["run"] for step in steps("linux") if "run" in step] == [".ci/run"]


def test_the_core_is_there_and_has_no_unix_only_part():
    for name in core_tests():
        path = ROOT / name
        files = [path] if path.is_file() else list(path.rglob("*.py"))
        assert files, name
        assert [file for file in files if UNIX_ONLY.search(file.read_text(encoding="utf-8"))] == []


def test_actions_are_pinned_to_commits_and_say_their_version():
    used = [line for line in FILE.read_text(encoding="utf-8").splitlines() if "uses:" in line]
    assert len(used) == sum("uses" in step for job in JOBS for step in steps(job)) >= 4
    for line in used:
        assert re.fullmatch(r" +- uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


def test_jobs_may_read_the_code_and_no_more():
    workflow = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["cancel-in-progress"] is True
    for name, job in JOBS.items():
        assert "permissions" not in job, name
        assert 0 < job["timeout-minutes"] <= 90, name
        checkouts = [step for step in job["steps"] if step.get("uses", "").startswith("actions/checkout@")]
        assert [step["with"]["persist-credentials"] for step in checkouts] == [False], name


def test_a_linter_finds_nothing():
    if shutil.which("zizmor") is None:
        pytest.skip("zizmor is not installed")
    command = ["zizmor", "--offline", "--no-progress", "--persona=pedantic", str(FILE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_hooks_run_the_ruff_of_the_project():
    (repo,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert [hook["entry"].split()[:6] for hook in repo["hooks"]] == [
        ["uv", "run", "--only-group", "lint", "ruff", "check"],
        ["uv", "run", "--only-group", "lint", "ruff", "format"],
    ]
