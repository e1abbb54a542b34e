"""What RecBole changes in a process is as it was when the bridge lets it go."""

import importlib
import importlib.util
import logging
import os
import random
import subprocess
import sys
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
import torch
import yaml

from recpair.integrations.recbole.borrowed import borrowed

pytestmark = pytest.mark.skipif(importlib.util.find_spec("recbole") is None, reason="recbole needs Python 3.11")


def state() -> dict:
    """All that RecBole reaches for, so that two of them can be compared."""
    return {
        "numpy": {name: id(value) for name, value in vars(np).items()},
        "dok": sorted(vars(sp.dok_matrix)),
        "argv": sys.argv,
        "streams": (sys.stdout, sys.stderr),
        "environment": dict(os.environ),
        "root": (list(logging.root.handlers), logging.root.level),
        "yaml": {key: len(value) for key, value in yaml.FullLoader.yaml_implicit_resolvers.items()},
        "own yaml": "yaml_implicit_resolvers" in vars(yaml.FullLoader),
        "filters": list(warnings.filters),
        "random": random.getstate(),
        "torch": torch.get_rng_state().tolist(),
        "anomalies": torch.is_anomaly_enabled(),
        "cudnn": (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark),
        "np.random": str(np.random.get_state()),  # noqa: NPY002
    }


def test_everything_is_as_it_was(tmp_path, monkeypatch):
    """RecBole's Config, logger and seeding inside; not a name, handler, variable or generator differs afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logging.root, "handlers", [])  # else RecBole's basicConfig does nothing
    monkeypatch.setattr(sys, "argv", ["pytest", "--epochs=__import__('sys').exit()"])
    with borrowed():
        from recbole.config import Config
        from recbole.utils import init_logger, init_seed
    before = state()
    with borrowed():
        config = Config(model="BPR", dataset="ml-100k", config_dict={"use_gpu": False})
        init_seed(3, True)
        init_logger(config)
        inside = state()
        assert vars(np)["float"] is np.float64
        assert sys.argv == ["pytest"]
    after = state()
    assert {name for name in before if before[name] != inside[name]} >= {
        *("numpy", "dok", "argv", "environment", "root", "yaml", "cudnn", "random", "torch", "np.random", "filters")
    }
    assert [name for name in before if before[name] != after[name]] == []


def test_looking_for_anomalies_ends_with_the_loan():
    """RecBole's SINE switches it on for the whole process, when it is imported."""
    sys.modules.pop("recbole.model.sequential_recommender.sine", None)
    with borrowed():
        importlib.import_module("recbole.model.sequential_recommender.sine")
        assert torch.is_anomaly_enabled()
    assert not torch.is_anomaly_enabled()


def test_what_is_missing_is_taken_back_after_an_error():
    with pytest.raises(RuntimeError), borrowed():
        raise RuntimeError
    assert "float" not in vars(np)
    assert "_update" not in vars(sp.dok_matrix)


def test_random_numbers_inside_follow_from_the_seed_alone():
    def draws(seed):
        with borrowed(seed):
            return random.random(), np.random.rand(), float(torch.rand(()))  # noqa: NPY002

    first = draws(5)
    torch.rand(3)
    assert draws(5) == first != draws(6)


def test_help_and_ordinary_configs_do_not_import_recbole():
    code = (
        "import sys; from recpair.cli import main; main(['--help']); "
        "from recpair.experiment.loading import load_config; load_config({'model': 'lightgcn'}); "
        "sys.exit('recbole' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0
