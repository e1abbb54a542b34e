"""The defaults recommend better than the most popular items on an ordinary shop, which needs no settings."""

import numpy as np
import polars as pl
import pytest

import recpair


@pytest.fixture(scope="module")
def shop():
    """About 10,000 purchases of 800 users among 300 items: tastes in categories, popularity by a Zipf law."""
    generator = np.random.default_rng(7)
    popularity = 1.0 / (1.0 + generator.permutation(300)) ** 0.8
    category = generator.integers(12, size=300)
    users, items = [], []
    for user in range(800):
        weights = popularity * (0.02 + generator.dirichlet(np.full(12, 0.1)))[category]
        count = 4 + min(60, int(generator.lognormal(2.0, 0.8)))
        users.append(np.full(count, user))
        items.append(generator.choice(300, size=count, replace=False, p=weights / weights.sum()))
    return pl.DataFrame({"user_id": np.concatenate(users), "item_id": np.concatenate(items)})


@pytest.mark.parametrize(
    "model", ["mf", "lightgcn", "ease", "item_knn", "gf_cf", "bspm", "rp3beta", "sansa", "slim", "turbo_cf"]
)
def test_the_defaults_are_above_the_most_popular_items(shop, tmp_path, model, caplog):
    run = recpair.fit({"model": model, "tracking": None, "output": str(tmp_path / "run")}, data=shop)
    ours, popular = run.metrics["test"]["ndcg@10"], run.metrics["popularity"]["ndcg@10"]
    assert ours > 1.15 * popular
    assert not [record for record in caplog.records if "most popular" in record.getMessage()]


def test_a_normal_start_of_few_epochs_is_warned_of(shop, tmp_path, caplog):
    """The start and the number of epochs that made a shop worse than its most popular items."""
    config = {"model": {"name": "mf", "init": "normal"}, "train": {"epochs": 10}, "tracking": None}
    run = recpair.fit(config | {"output": str(tmp_path / "run")}, data=shop)
    assert run.metrics["test"]["ndcg@10"] < run.metrics["popularity"]["ndcg@10"]
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "that of the most popular items; set model.init=spectral" in warnings[-1]
