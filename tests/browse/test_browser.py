"""The page in headless Chromium; skipped without it."""

import shutil
import subprocess
import threading

import numpy as np
import polars as pl
import pytest

import recpair
from recpair.browse.opened import Shelf
from recpair.browse.server import listening, server

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MARKUP = "<img src=x onerror=\"document.title='ran'\"><b>Film</b> 2"


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_a_user_is_shown_and_markup_stays_text(tmp_path):
    user, item = np.nonzero(np.add.outer(np.arange(12), np.arange(12)) % 2 == 0)
    items = pl.DataFrame({"item_id": range(12), "title": [MARKUP if i == 2 else f"Film {i}" for i in range(12)]})
    config = {"model": "ease", "evaluate": {"cutoffs": [2], "monitor": "ndcg@2"}, "tracking": None}
    run = recpair.fit(
        config | {"output": str(tmp_path / "run")}, data=pl.DataFrame({"user_id": user, "item_id": item}), items=items
    )
    with listening(0) as sock:
        answering = server(Shelf([run]))
        thread = threading.Thread(target=answering.run, kwargs={"sockets": [sock]})
        thread.start()
        address = f"http://127.0.0.1:{sock.getsockname()[1]}/user?id=4&seen=1"
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=4000", profile, "--dump-dom"]
        shown = subprocess.run([CHROMIUM, *options, address], capture_output=True, text=True, timeout=60).stdout
        answering.should_exit = True
        thread.join(timeout=10)
    assert "<title>User 4 – recpair</title>" in shown
    assert "&lt;img src=x onerror" in shown
    assert "<img" not in shown
    best = run.recommend([4], k=1, exclude_seen=False)["item_id"][0]
    assert f'data-item="{best}"' in shown
    assert "because of" in shown
