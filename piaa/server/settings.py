"""What a server may take and how it is reached; the same in every worker process."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass

from piaa.store.quotas import Quota
from piaa.store.tidying import Retention

VARIABLE = "PIAA_SERVE"
"""The environment variable that hands the settings to worker processes."""


@dataclass(frozen=True, kw_only=True)
class ServeSettings:
    """Settings of ``piaa serve``."""

    store: str
    """A SQLite file, or a PostgreSQL URL."""
    model: str = "piaa-lite"
    """An embedded model's name, or a model file."""
    before: str | None = None
    """The model of before, which answers for whoever is not yet learned under the model."""
    plain: str | None = None
    """The model that calibrations begin with; None: the model."""
    calibrations: str | None = None
    """The folder that calibrated models are written to; None: none are made."""
    cache: str | None = None
    """Folder of the feature cache; None remembers in memory only."""
    share_vectors: int = 2**30
    """Bytes of vectors of photos sent that servers share through the store; 0 shares none."""
    keep_versions: int = 5
    """Newest versions of each user that are kept, beside those that count; 0 keeps all."""
    keep_jobs: int = 30
    """How long fits that ended are kept, in days; 0 keeps all."""
    max_user_photos: int = 0
    """Photos of which one user may say anything; 0 is any number, likewise below."""
    max_user_ratings: int = 0
    """Ratings, comparisons and flags of one user, those that are history included."""
    max_user_bytes: int = 0
    """Of these, of the photos' vectors, and of her versions."""
    workers: int = 1
    """Processes, which share the cores."""
    keys: bool = True
    """Whether a key is asked for."""
    max_body: int = 64 * 2**20
    """Largest request body, in bytes."""
    max_pixels: int = 50_000_000
    """Photos with more pixels are refused."""
    photo_seconds: int = 10
    """Of computing that decoding one photo may take."""
    photo_memory: int = 2**30
    """Bytes that decoding one photo may take."""
    max_images: int = 64
    """Most images in one request."""
    max_users: int = 10_000
    """Most users in one request."""
    max_waiting: int = 256
    """Most images that wait, half of them of one key; more are answered 503."""
    fit_seconds: int = 300
    """Of computing that one fit may take."""
    fit_memory: int = 2**32
    """Bytes that one fit may take."""
    max_fits: int = 1000
    """Most fits that wait; more are answered 503."""
    rate: float = 100.0
    """Requests per second and key, over ten seconds, to all servers of the store together."""
    max_connections: int = 4000
    """Most connections of one process."""
    max_per_address: int = 1000
    """Most of them from one address; a proxy is one address."""
    head_timeout_s: float = 10.0
    """How long the head of a request may take, in seconds."""
    body_timeout_s: float = 30.0
    """How long a body may take, in seconds, and longer by one for every ``body_rate`` bytes that came."""
    body_rate: int = 50_000

    @property
    def quota(self) -> Quota:
        """What one user may take of the store."""
        return Quota(photos=self.max_user_photos, ratings=self.max_user_ratings, n_bytes=self.max_user_bytes)

    @property
    def retention(self) -> Retention:
        """What the store keeps."""
        return Retention(versions=self.keep_versions, job_days=self.keep_jobs, sent_bytes=self.share_vectors)

    @classmethod
    def from_environment(cls) -> ServeSettings:
        """Those of this server."""
        return cls(**json.loads(os.environ[VARIABLE]))

    def to_json(self) -> str:
        """For the environment of worker processes."""
        return json.dumps(dataclasses.asdict(self))
