"""RecBole 1.2.1 as a baseline of benchmarks: its data, sampler and trainer, in the context of the integration."""

from pathlib import Path
from typing import Any

import polars as pl

from recpair.integrations.recbole.borrowed import borrowed as recbole

__all__ = ["config", "recbole", "write_atomic"]


def write_atomic(events: pl.DataFrame, folder: Path) -> Path:
    """Events as RecBole's data set folder; gives the path of the ``.inter`` file."""
    target = folder / "gowalla"
    target.mkdir(parents=True, exist_ok=True)
    renamed = events.select(pl.col("user_id").alias("user_id:token"), pl.col("item_id").alias("item_id:token"))
    renamed.write_csv(target / "gowalla.inter", separator="\t")
    return target / "gowalla.inter"


def config(folder: Path, **options: Any) -> Any:
    """A RecBole config for BPR on the data set in ``folder/gowalla``; call inside ``recbole()``."""
    from recbole.config import Config

    settings = {
        "data_path": str(folder),
        "load_col": {"inter": ["user_id", "item_id"]},
        "eval_args": {"split": {"RS": [0.7, 0.1, 0.2]}, "group_by": "user", "order": "RO", "mode": "full"},
        "use_gpu": False,
        "show_progress": False,
        "state": "ERROR",
        "embedding_size": 64,
    }
    return Config(model="BPR", dataset="gowalla", config_dict=settings | options)
