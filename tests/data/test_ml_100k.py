"""MovieLens-100K from inside the recbole wheel, and a clear word where there is none."""

import importlib.util
import subprocess
import sys

import polars as pl
import pytest

from recpair.data import SOURCES
from recpair.data.events import read_data
from recpair.errors import DataError

needs_recbole = pytest.mark.skipif(
    importlib.util.find_spec("recbole") is None, reason="MovieLens-100K comes inside recbole, which is not installed"
)


@needs_recbole
def test_counts_and_titles():
    events = read_data(source="ml-100k")
    frame = events.frame
    assert (frame["user_id"].n_unique(), frame["item_id"].n_unique(), len(frame)) == (943, 1682, 100_000)
    assert events.items.filter(events.items["item_id"] == 50)["title"].item() == "Star Wars"
    assert frame["rating"].min() == 1
    assert frame["rating"].max() == 5


@needs_recbole
def test_recbole_itself_is_not_imported():
    code = "import sys, recpair.data.events as e; e.read_data(source='ml-100k'); print('recbole' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_without_recbole_the_downloaded_set_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("RECPAIR_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"it needs Python 3\.11.*recpair data fetch ml-100k.*data\.source=shop"):
        SOURCES["ml-100k"]()
    (tmp_path / "ml-100k").mkdir()
    pl.DataFrame({"user_id": [1, 2], "item_id": [3, 4]}).write_parquet(tmp_path / "ml-100k/interactions.parquet")
    assert read_data(source="ml-100k").frame["item_id"].to_list() == [3, 4]
