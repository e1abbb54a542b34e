"""The generated shop: the same everywhere, with titles, times and a structure that models can learn."""

import re
from pathlib import Path

import numpy as np
import polars as pl

import recpair
from recpair.cli import main
from recpair.data.events import read_data
from recpair.data.fetch import pairs_checksum
from recpair.data.shop import CATEGORIES, N_USERS, PER_CATEGORY, shop

CARD = (Path(__file__).parents[2] / "data/shop/README.md").read_text()


def test_counts_and_checksum_are_those_of_its_card():
    events, items = shop()
    counts = re.search(r"([\d,]+) users, ([\d,]+) items, ([\d,]+) events", CARD)
    found = (events["user_id"].n_unique(), len(items), len(events))
    assert tuple(int(number.replace(",", "")) for number in counts.groups()) == found
    assert found[:2] == (N_USERS, len(CATEGORIES) * PER_CATEGORY)
    assert f"`{pairs_checksum(events)}`" in " ".join(CARD.split())
    assert not events.select("user_id", "item_id").is_duplicated().any()
    assert events.group_by("user_id").len()["len"].min() >= 5


def test_it_is_generated_anew_with_the_same_result():
    again = shop.__wrapped__()
    assert all(frame.equals(before) for frame, before in zip(again, shop(), strict=True))


def test_items_have_distinct_titles_of_their_category():
    items = shop()[1]
    assert items["title"].n_unique() == len(items)
    assert all(title.endswith(kinds[1]) for title, kinds in items.select("title", "categories").iter_rows())


def test_times_ascend_within_two_years():
    events = shop()[0].with_columns(at=pl.from_epoch("timestamp"))
    assert set(events["at"].dt.year()) <= {2023, 2024}
    gaps = events.select(pl.col("timestamp").diff().over("user_id"))["timestamp"].drop_nulls()
    assert gaps.min() >= 0
    assert 0.4 < (gaps < 3600).mean() < 0.7


def test_purchases_follow_each_other():
    """The category after one is predictable: its successor is far more frequent than any other."""
    events, items = shop()
    nouns = items["categories"].list.last().cast(pl.Enum([noun for _, noun in CATEGORIES]))
    code = nouns.to_physical().to_numpy()[events["item_id"].to_numpy() - 1]
    same_user = (events["user_id"] == events["user_id"].shift(-1)).fill_null(value=False).to_numpy()[:-1]
    pairs = np.zeros((len(CATEGORIES), len(CATEGORIES)))
    np.add.at(pairs, (code[:-1][same_user], code[1:][same_user]), 1)
    best = np.sort(pairs / pairs.sum(1, keepdims=True), axis=1)
    assert (best[:, -1] > 0.3).all()
    assert len(set(pairs.argmax(1))) == len(CATEGORIES)
    assert (pairs.argmax(1) != np.arange(len(CATEGORIES))).all()


def test_models_learn_it(tmp_path, monkeypatch):
    monkeypatch.setattr("recpair.run.report.RunReport._draw", lambda *args, **kwargs: None)
    sections = {"data": {"source": "shop"}, "tracking": None, "output_keep": 0}
    for split, model in (("temporal", "item_knn"), ("leave_last", "transitions")):
        output = {"output": str(tmp_path / model)}
        run = recpair.fit(sections | output | {"split": {"name": split}, "model": {"name": model}})
        assert run.metrics["test"]["ndcg@10"] > 1.3 * run.metrics["popularity"]["ndcg@10"], model
        assert any("generated" in note for note in run.metrics["data"]["notes"])


def test_it_is_read_with_its_items_and_described(capsys):
    events = read_data(source="shop")
    assert events.items.columns == ["item_id", "title", "categories", "brand", "price"]
    assert events.clock.per_second == 1
    assert main(["data", "describe", "shop"]) == 0
    assert f"{len(events):,} events" in capsys.readouterr().out
