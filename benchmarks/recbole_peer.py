"""RecBole 1.2.1 as a peer in benchmarks, on numpy 2: names that numpy 2 removed are lent to it and taken back.

Nothing of recpair imports this. RecBole reads the command line's arguments, so they are hidden, too.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import polars as pl

LENT = {
    **{"float_": np.float64, "complex_": np.complex128, "unicode_": np.str_, "bool": np.bool_, "int": np.int_},
    **{"float": np.float64, "complex": np.complex128, "object": np.object_, "str": np.str_, "unicode": np.str_},
}


@contextmanager
def recbole() -> Iterator[None]:
    """Inside, RecBole can be imported and run; afterwards numpy and sys.argv are as they were."""
    before = {name: np.__dict__[name] for name in LENT if name in np.__dict__}
    for name, value in LENT.items():
        setattr(np, name, value)
    try:
        with patch.object(sys, "argv", sys.argv[:1]):
            yield
    finally:
        for name in (*LENT, "long"):
            if name in before:
                setattr(np, name, before[name])
            elif name in LENT:
                delattr(np, name)


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
