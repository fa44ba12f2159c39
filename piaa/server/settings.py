"""What a server may take and how it is reached; the same in every worker process."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

VARIABLE = "PIAA_SERVE"
"""The environment variable that hands the settings to worker processes."""


@dataclass(frozen=True, kw_only=True)
class ServeSettings:
    """Settings of ``piaa serve``."""

    store: str
    """A SQLite file, or a PostgreSQL URL."""
    model: str = "piaa-lite"
    """An embedded model's name, or a model file."""
    cache: str | None = None
    """Folder of the feature cache; None remembers in memory only."""
    keys: bool = True
    """Whether a key is asked for."""
    max_body: int = 64 * 2**20
    """Largest request body, in bytes."""
    max_pixels: int = 50_000_000
    """Photos with more pixels are refused."""
    max_images: int = 64
    """Most images in one request."""
    max_users: int = 10_000
    """Most users in one request."""
    max_waiting: int = 256
    """Most images that wait for the network; more are answered 503."""
    max_fits: int = 1000
    """Most fits that wait; more are answered 503."""
    rate: float = 100.0
    """Requests per second and key, over ten seconds."""
    body_timeout_s: float = 30.0
    """How long a client may be silent within a body, in seconds."""

    def to_json(self) -> str:
        """For the environment of worker processes."""
        return json.dumps(dataclasses.asdict(self))
