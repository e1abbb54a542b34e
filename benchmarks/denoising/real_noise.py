"""Real noise: do the denoisers help where low ratings are positives, and does the audit find those ratings unseen?

    python -m benchmarks.denoising.real_noise --data modcloth=MODCLOTH.parquet --out benchmarks/denoising/results/real.jsonl
    python -m benchmarks.denoising.real_noise --data ml-100k --out benchmarks/denoising/results/real.jsonl

ModCloth: every event trains, whatever its rating; validation and test are those of its published split with a rating
of 5. MovieLens-100K: ratings of 1 and 2 are positives in training and validation, the test is of 4 and 5. The
rules of choosing an epoch, the methods and three settings of each are those of ``study.py``; MF + BPR. "Noise" is a
rating of 1 or 2, which no training ever sees: the share of it among chosen positives, and how well the audit finds it.
"""

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.denoising import cell, study
from recpair.data.splitting import Splits
from recpair.experiment.loading import load_config
from recpair.experiment.prepare import prepare


def modcloth(path: Path, config: dict[str, Any], noise: float) -> cell.Data:
    events = pl.read_parquet(path)
    splits = prepare(load_config(config), events)
    clean = {part: (held := getattr(splits, part)).select(held.rating == 5) for part in ("valid", "test")}
    return _labelled(replace(splits, **clean), splits)


def ml_100k(config: dict[str, Any], noise: float) -> cell.Data:
    splits = prepare(load_config(config, ["data.source=ml-100k"]))
    clean = splits.valid.select(splits.valid.rating > 2), splits.test.select(splits.test.rating >= 4)
    return _labelled(replace(splits, valid=clean[0], test=clean[1]), splits)


def _labelled(splits: Splits, raw: Splits) -> cell.Data:
    """Validation with its low ratings is the noisy one; low ratings in training are what the audit looks for."""
    ratings = splits.train.rating
    assert ratings is not None
    return cell.Data(replace(splits, noise=np.asarray(ratings <= 2)), raw.valid, splits.train)


def config(split: dict[str, Any], model: str, loss: str, epochs: int) -> dict[str, Any]:
    return study.config(model, loss, epochs) | {"filter": {}, "split": split}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="ml-100k, or modcloth=PATH")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    name, _, path = arguments.data.partition("=")
    if name == "modcloth":
        data_of, split = partial(modcloth, Path(path)), {"name": "predefined"}
    else:
        data_of, split = ml_100k, {"name": "ratio", "fractions": [0.8, 0.1, 0.1], "seed": 42}
    part = {
        "model": name,
        "loss": "bpr",
        "search": study.FEW,
        "seeds": arguments.seeds,
        "noises": (0.0,),
        "epochs": 100,
        "tuned_at": 0.0,
        "config": lambda _, loss, epochs: config(split, "mf", loss, epochs),
    }
    study.study(study.Store(arguments.out, data_of), part)


if __name__ == "__main__":
    main()
