"""What Prometheus reads: where vectors came from, how long the network took, how long fits wait."""

from __future__ import annotations

import hashlib
import re


def metrics(server) -> dict[str, float]:
    text = server.http.get("/metrics").text
    return {name: float(value) for name, value in re.findall(r"^(piaa_\S+) (\S+)$", text, re.M)}


def test_where_vectors_come_from_and_how_long_fits_wait(serve, tmp_path, picture):
    place = tmp_path / "piaa.db"
    server = serve(place, "--no-keys")
    photo, params = picture(2200), {"fallback": "generic"}
    for _ in range(2):
        assert server.score(["ana"], [("a", photo)], params=params).status_code == 200
    form = {"user": "ana", "sha256": [hashlib.sha256(photo).hexdigest(), "0" * 64]}
    assert server.http.post("/v1/score", data=form, params=params).status_code == 200
    assert server.score(["ana"], [("a", b"no photo")], params=params).status_code == 422
    found = metrics(server)
    images = {name: n for name, n in found.items() if name.startswith("piaa_images_total{")}
    assert images == {
        'piaa_images_total{source="network"}': 1,
        'piaa_images_total{source="cache"}': 2,
        'piaa_images_total{source="store"}': 0,
        'piaa_images_total{source="refused"}': 1,
    }
    assert found["piaa_engine_seconds_count"] == 1
    assert 0 < found["piaa_engine_seconds_sum"] < 60
    assert found["piaa_oldest_fit_seconds"] == 0
    other = serve(place, "--no-keys")
    assert other.http.post("/v1/score", data=form, params=params).status_code == 200
    assert metrics(other)['piaa_images_total{source="store"}'] == 1
    other.stop()
    server.stop()
