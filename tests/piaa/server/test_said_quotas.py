"""Quotas over HTTP: one clear line, and nothing is kept."""

from __future__ import annotations

HOW = "; withdraw some ratings, or ask whoever runs the server for more"


def test_a_user_who_takes_too_much_is_told(serve, tmp_path, picture):
    quotas = ("--max-user-photos", "3", "--max-user-ratings", "4")
    server = serve(tmp_path / "piaa.db", "--no-keys", *quotas)
    photos = {f"{number}.jpg": picture(2100 + number) for number in range(4)}

    def rate(*names: str):
        rows = [{"image": name, "score": 3} for name in names]
        return server.say("ratings", "ana", rows, {name: photos[name] for name in names})

    assert rate("0.jpg", "1.jpg", "2.jpg").json()["n_ratings"] == 3
    over = rate("3.jpg")
    assert (over.status_code, over.headers["content-type"]) == (409, "application/problem+json")
    assert over.json()["detail"] == f"user 'ana' would have 4 photos, and at most 3 may be{HOW}"
    assert rate("0.jpg").json()["n_ratings"] == 3
    over = rate("0.jpg")
    assert (over.status_code, over.json()["detail"]) == (
        409,
        "user 'ana' would have 5 ratings, comparisons and flags, with their history, and at most 4 may be"
        + HOW,
    )
    assert server.http.get("/v1/users/ana").json()["ratings"][-1]["image"] == "0.jpg"
    assert server.fit("ana", "auto")["state"] == "done"
    assert "'ana'" not in server.log.read_text()
    server.stop()

    server = serve(tmp_path / "piaa.db", "--no-keys", "--max-user-bytes", "2000")
    over = [server.http.post("/v1/users/ana/fit"), rate("0.jpg")]
    assert [answer.status_code for answer in over] == [409, 409]
    for answer in over:
        assert answer.json()["detail"].endswith(f" bytes, and at most 2000 may be{HOW}")
    server.stop()
