"""Parts of paths that several routes share."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

_NAME = {"minLength": 1, "pattern": r"^[^\u0000-\u001f/\u007f-\u009f\u2028\u2029]+$"}
"""What the store takes as a name, for the description: what is wrong with another one, the store says."""
UserId = Annotated[
    str,
    Path(
        alias="id",
        description="The user's name.",
        max_length=200,
        examples=["ana"],
        json_schema_extra=_NAME,
    ),
]
LARGEST = 2**31 - 1
"""The largest number that is taken."""
