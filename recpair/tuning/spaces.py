"""Default search spaces: of the training, and of each component."""

from typing import Any

from recpair.config import Config
from recpair.integrations.all_models import ALL_MODELS
from recpair.models import GradientModel

WIDTH = [32, 64, 128]
RATE = {"low": 3e-4, "high": 1e-2, "log": True}
WEIGHT = {"low": 0.01, "high": 1.0, "log": True}
TEMPERATURE = {"low": 0.05, "high": 1.0, "log": True}
DROPOUT = {"low": 0.1, "high": 0.6}
FILTER = {"k": {"low": 16, "high": 512, "log": True}, "alpha": {"low": 0.0, "high": 1.0}}

SPACES: dict[str, dict[str, dict[str, Any]]] = {
    "model": {
        "mf": {"embedding_dim": WIDTH},
        "neumf": {"embedding_dim": WIDTH, "dropout": {"low": 0.0, "high": 0.5}},
        "lightgcn": {"embedding_dim": WIDTH, "n_layers": {"low": 1, "high": 4}},
        "sasrec": {"embedding_dim": WIDTH, "dropout": DROPOUT, "n_layers": {"low": 1, "high": 3}},
        "gru4rec": {"embedding_dim": WIDTH, "dropout": DROPOUT},
        "bspm": FILTER | {"sharpening": {"low": 0.5, "high": 3.0}},
        "gf_cf": FILTER,
        "turbo_cf": {"alpha": {"low": 0.3, "high": 0.8}, "power": {"low": 0.5, "high": 1.5}},
        "ease": {"ridge": {"low": 10.0, "high": 5000.0, "log": True}},
        "sansa": {"ridge": {"low": 10.0, "high": 5000.0, "log": True}},
        "slim": {"l1": {"low": 0.1, "high": 10.0, "log": True}, "l2": {"low": 1.0, "high": 200.0, "log": True}},
        "ials": {
            "embedding_dim": [32, 64, 128, 256],
            "weight": {"low": 1.0, "high": 50.0, "log": True},
            "ridge": {"low": 0.5, "high": 50.0, "log": True},
        },
        "item_knn": {
            "k": {"low": 20, "high": 500, "log": True},
            "shrinkage": {"low": 0.1, "high": 100.0, "log": True},
        },
        "rp3beta": {
            "k": {"low": 20, "high": 500, "log": True},
            "alpha": {"low": 0.3, "high": 1.2},
            "beta": {"low": 0.0, "high": 0.8},
        },
        "transitions": {
            "window": {"low": 1, "high": 6},
            "decay": {"low": 0.3, "high": 0.9},
            "backward": {"low": 0.0, "high": 1.0},
            "column_exponent": {"low": 0.0, "high": 0.6},
        },
        "popular_recent": {"days": {"low": 1.0, "high": 365.0, "log": True}},
    },
    "loss": {
        "gbce": {"calibration": {"low": 0.0, "high": 1.0}},
        "hinge": {"margin": {"low": 0.1, "high": 3.0, "log": True}},
        "sampled_softmax": {"temperature": TEMPERATURE},
    },
    "denoise": {
        "pld": {"candidates": [5, 10], "temperature": {"low": 0.05, "high": 2.0, "log": True}},
        "udt": {"candidates": [5, 10], "temperature": {"low": 0.05, "high": 2.0, "log": True}},
        "t_ce": {"drop_rate": {"low": 0.01, "high": 0.3, "log": True}},
        "r_ce": {"alpha": {"low": 0.05, "high": 1.0, "log": True}},
        "dcf": {"drop_rate": {"low": 0.01, "high": 0.3, "log": True}, "relabel_rate": {"low": 0.0, "high": 0.1}},
        "dbpm": {"beta": {"low": 0.5, "high": 8.0, "log": True}},
    },
    "hard_negatives": {"dns": {"candidates": [2, 4, 8, 16], "share": {"low": 0.25, "high": 1.0}}},
}
TERMS: dict[str, dict[str, Any]] = {"l2": {"weight": {"low": 1e-5, "high": 3e-2, "log": True}}}


def shared_space(config: Config) -> dict[str, Any]:
    """Return the default space of the training, the model, the loss and the regularisers of a config."""
    space = {"train.learning_rate": RATE} if _learns(config) else {}
    space |= _of(config, "model")
    if _learns(config):
        space |= _of(config, "loss") | _of_terms(config, regularisers=True)
    return space


def method_space(config: Config) -> dict[str, Any]:
    """Return the default space of the denoiser, the miner and the other terms of a config."""
    if not _learns(config):
        return {}
    return _of(config, "denoise") | _of(config, "hard_negatives") | _of_terms(config, regularisers=False)


def _learns(config: Config) -> bool:
    return issubclass(ALL_MODELS[config["model"]["name"]], GradientModel)


def _of(config: Config, section: str) -> dict[str, Any]:
    """Space of the component of a section."""
    entry = config[section]
    known = {} if entry is None else SPACES[section].get(entry["name"], {})
    return {f"{section}.{key}": values for key, values in known.items()}


def _of_terms(config: Config, *, regularisers: bool) -> dict[str, Any]:
    """Weights of the terms that are regularisers (``TERMS``), or of the others."""
    entries = enumerate(config["terms"])
    return {
        f"terms.{i}.weight": TERMS.get(entry["name"], {"weight": WEIGHT})["weight"]
        for i, entry in entries
        if (entry["name"] in TERMS) == regularisers
    }
