"""Finished runs of one split, for blends."""

import numpy as np
import polars as pl
import pytest

import recpair

MODELS = {
    "ease": {"model": {"name": "ease", "ridge": 5}},
    "knn": {"model": {"name": "item_knn", "k": 8}},
    "texts": {"model": {"name": "transitions"}, "semantics": {"name": "tfidf", "template": "{title}"}},
    "sasrec": {
        "model": {"name": "sasrec", "history_length": 4, "embedding_dim": 8, "n_layers": 1},
        "train": {"epochs": 2, "seed": 1},
    },
}


@pytest.fixture(scope="session")
def events():
    """40 users × 40 items: users prefer items of their kind, some items are popular; with times and a predefined split."""
    generator, rows = np.random.default_rng(5), []
    for user in range(40):
        taste = np.exp(1.5 * (np.arange(40) % 4 == user % 4) - 0.05 * np.arange(40))
        items = generator.choice(40, size=6 + user % 9, replace=False, p=taste / taste.sum())
        parts = ["train"] * (len(items) - 3) + ["valid", "test", "test"]
        rows += [
            (f"u{user}", int(item), 86_400 * (place + 1), part)
            for place, (item, part) in enumerate(zip(items, parts, strict=True))
        ]
    return pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp", "split"], orient="row")


@pytest.fixture(scope="session")
def shared(events, tmp_path_factory):
    """Sections that the configs of all runs have."""
    folder = tmp_path_factory.mktemp("runs")
    events.write_csv(folder / "events.csv")
    titles = pl.DataFrame({"item_id": range(40), "title": [f"kind {'abcd'[i % 4]} film {i}" for i in range(40)]})
    titles.write_csv(folder / "items.csv")
    return {
        "data": {"path": str(folder / "events.csv"), "items": str(folder / "items.csv")},
        "split": "predefined",
        "evaluate": {"metrics": ["hit", "ndcg"], "cutoffs": [1, 5], "monitor": "ndcg@5"},
        "tracking": None,
    }


@pytest.fixture(scope="session")
def runs(shared, tmp_path_factory):
    """Folders of runs with a collaborative, a neighbourhood, a text and a sequence model."""
    folder = tmp_path_factory.mktemp("runs")
    for name, sections in MODELS.items():
        recpair.fit(shared | sections | {"output": str(folder / name)})
    return {name: folder / name for name in MODELS}
