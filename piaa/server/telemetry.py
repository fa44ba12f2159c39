"""What Prometheus reads: no names, no ids, counts and times only."""

from __future__ import annotations

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

REGISTRY = CollectorRegistry()
_TIMES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

REQUESTS = Histogram(
    "piaa_request_seconds",
    "Time to answer, by route.",
    ("method", "route", "status"),
    registry=REGISTRY,
    buckets=_TIMES,
)
IMAGES = Counter(
    "piaa_images_total",
    "Images asked for, and hashes, by where the vector came from.",
    ("source",),
    registry=REGISTRY,
)
WAITING = Gauge(
    "piaa_waiting_images", "Images that wait for the network.", registry=REGISTRY, multiprocess_mode="livesum"
)
LEFT = Gauge(
    "piaa_users_not_moved",
    "Users who are still learned under the model of before alone.",
    registry=REGISTRY,
    multiprocess_mode="livemostrecent",
)
ENGINE = Histogram(
    "piaa_engine_seconds", "Time that the network takes for a photo.", registry=REGISTRY, buckets=_TIMES
)
OLDEST = Gauge(
    "piaa_oldest_fit_seconds",
    "How long the fit that came first has waited.",
    registry=REGISTRY,
    multiprocess_mode="livemostrecent",
)
LOST = Counter("piaa_leases_lost_total", "Fits taken over from a server that fell silent.", registry=REGISTRY)
FITS = Counter("piaa_fits_total", "Fits that ended, by how.", ("outcome",), registry=REGISTRY)


def exposition() -> bytes:
    """All metrics, of all worker processes if there are several."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    together = CollectorRegistry()
    multiprocess.MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    return generate_latest(together)
