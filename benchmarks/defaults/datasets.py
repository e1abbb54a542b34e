"""Data sets of the study of defaults, each small enough for a run of a minute on one core."""

from collections.abc import Callable
from pathlib import Path

import polars as pl

from benchmarks.defaults.shop import shop
from recpair.data import SOURCES

SAMPLED_USERS = {"gowalla": 2_000, "amazon-beauty": 4_000}  # of 29,858 and 22,363


def read(name: str, folder: Path) -> pl.DataFrame:
    """Events of a data set: user_id, item_id, and timestamp and split where there are such columns.

    Args:
        folder: the folder with gowalla, modcloth and amazon-beauty as Parquet files.
    """
    return READERS[name](folder)


def _ml_100k(folder: Path) -> pl.DataFrame:
    names = {"user_id:token": "user_id", "item_id:token": "item_id", "timestamp:float": "timestamp"}
    events = pl.read_csv(SOURCES["ml-100k"]().events, separator="\t")
    return events.select(pl.col(old).alias(new) for old, new in names.items())


def _gowalla(folder: Path) -> pl.DataFrame:
    events = pl.read_parquet(folder / "gowalla" / "interactions.parquet").drop("split")
    return _sampled(events, SAMPLED_USERS["gowalla"])


def _modcloth(folder: Path) -> pl.DataFrame:
    return pl.read_parquet(folder / "modcloth" / "interactions.parquet").drop("rating")


def _amazon_beauty(folder: Path) -> pl.DataFrame:
    events = pl.read_parquet(folder / "amazon-beauty" / "interactions.parquet").rename({"position": "timestamp"})
    return _sampled(events, SAMPLED_USERS["amazon-beauty"])


def _sampled(events: pl.DataFrame, n_users: int) -> pl.DataFrame:
    """The events of some users, drawn with a fixed seed, on items with three events or more among them."""
    users = events["user_id"].unique().sort().sample(n_users, seed=42)
    events = events.filter(pl.col("user_id").is_in(users.implode()))
    return events.filter(pl.len().over("item_id") >= 3)


READERS: dict[str, Callable[[Path], pl.DataFrame]] = {
    "shop": lambda folder: shop(),
    "ml-100k": _ml_100k,
    "modcloth": _modcloth,
    "amazon-beauty": _amazon_beauty,
    "gowalla": _gowalla,
}
