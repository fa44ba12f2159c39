"""A server process fits and scores with another package's adapter."""

from __future__ import annotations

import numpy as np

SCORES = (5, 1, 4, 2, 3, 5, 2, 1, 4, 3)


def test_a_user_is_fitted_and_scored_over_http(install, serve, tmp_path, album, names):
    install("nearest = nearest_adapter:NearestAdapter", "broken = gone:Adapter")
    server = serve(tmp_path / "served.db", "--no-keys", "--rate", "100000")
    rated = dict(zip(names, SCORES, strict=False))
    assert server.rate("ana", album, rated).status_code == 200
    files = [(name, (album / name).read_bytes()) for name in names]

    job = server.fit("ana", "nearest")
    assert (job["state"], job["version"]) == ("done", 1)
    plain = server.score(["ana"], files).json()["users"][0]
    wide = server.score(["ana"], files, params={"intervals": "true"}).json()["users"][0]
    assert plain["scores"] == wide["scores"]
    # The nearest photo to a rated one is itself, so that her own rating comes back, bent near the ends.
    middle = [place for place, score in enumerate(SCORES) if score not in (1, 5)]
    np.testing.assert_allclose(np.array(plain["scores"])[middle], np.array(SCORES)[middle], atol=1e-5)
    assert all(low < high for low, high in zip(wide["low"], wide["high"], strict=True))

    refused = server.http.post("/v1/users/ana/fit", params={"adapter": "broken"})
    assert refused.status_code == 400
    assert refused.json()["detail"] == (
        "adapter 'broken' of package nearest-adapter 0.3 cannot be imported (ModuleNotFoundError: No module "
        "named 'gone'); repair or uninstall the package, or choose another adapter"
    )
    keeps = server.http.post("/v1/users/ana/fit", params={"adapter": "anil"})
    assert keeps.status_code == 501
    assert (
        "choose one of generic, bias, ridge, pam, neighbours, pairs, bayes, auto, nearest, or fit"
        in (keeps.json()["detail"])
    )
    assert (server.fit("ana", "ridge")["version"], server.score(["ana"], files).status_code) == (2, 200)
    server.stop()
