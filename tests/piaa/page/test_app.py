"""The application itself: what it says of the folder that is opened."""

from __future__ import annotations

import os
import sys

import pytest

from piaa.page.page_state import open_page

pytest.importorskip("httpx", reason="the core has no httpx")
PORT, TOKEN = 8765, "a-token-that-nobody-guesses"


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text there")
def test_a_folder_whose_name_is_not_utf8_is_shown(photos, model, tmp_path):
    from starlette.testclient import TestClient

    from piaa.page.app import create_app

    folder = photos.rename(tmp_path / os.fsdecode(b"\xc9t\xe9"))
    page = open_page(folder, model, user="ana", store=tmp_path / "piaa.db")
    client = TestClient(create_app(page, TOKEN, PORT), base_url=f"http://127.0.0.1:{PORT}")
    answer = client.get(f"/?token={TOKEN}")
    assert answer.status_code == 200
    assert "<title>\\udcc9t\\udce9 · piaa</title>" in answer.text
    assert client.get("/api/album").json()["root"] == f"{tmp_path}/\\udcc9t\\udce9"
    page.store.close()
