"""Users of a header: known again, and told apart."""

from __future__ import annotations

import subprocess

from generic.model.known_users import user_digest


def test_a_digest_is_that_of_both_names():
    told = subprocess.run(["sha256sum"], input=b"para\nana", capture_output=True, check=True).stdout
    assert user_digest("para", "ana") == told.split()[0].decode()


def test_the_same_name_in_another_dataset_is_somebody_else():
    assert len({user_digest("para", "ana"), user_digest("aadb", "ana"), user_digest("para", "bea")}) == 3
