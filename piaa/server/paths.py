"""Parts of paths that several routes share."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

UserId = Annotated[str, Path(alias="id", description="The user's name.", max_length=200, examples=["ana"])]
LARGEST = 2**31 - 1
"""The largest number that is taken."""
