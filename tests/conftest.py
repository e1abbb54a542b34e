"""Shape annotations are checked while the tests run; small data sets that every area uses."""

import json
import os
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line has it; before OpenMP is loaded

import jaxtyping
import pytest
from hypothesis import HealthCheck, settings

PACKAGE = Path(__file__).parent.parent / "recpair"
CHECKED = ["recpair.batch", "recpair.losses", "recpair.denoising", "recpair.mining", "recpair.semantics"]
CHECKED += ["recpair.evaluation.metrics"]
CHECKED += [
    "recpair.integrations",
    "recpair.terms",
    "recpair.diagnostics",
    "recpair.step",
    "recpair.training.objective",
]
CHECKED += [f"recpair.models.{path.stem}" for path in (PACKAGE / "models").glob("*.py") if path.stem != "kernels"]
CHECKED += [
    f"recpair.models.sparse.{path.stem}" for path in (PACKAGE / "models/sparse").glob("*.py") if path.stem != "kernels"
]
HOOK = jaxtyping.install_import_hook(CHECKED, "beartype.beartype")

# On a busy machine an example takes seconds (or compiles a kernel): time is no property that these tests check.
settings.register_profile("recpair", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("recpair")

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def golden():
    """Numbers that the authors' published code gave."""
    return lambda name: json.loads((GOLDEN / f"{name}.json").read_text())


@pytest.fixture
def checkerboard():
    """Users take items of their own colour; two of each user's are held out.

    40 users × 40 items: user u takes every item i with (u + i) even; i = u is the test, i = u + 2 (mod
    40) valid. Whoever has understood the pattern ranks the test item first among those left.
    """
    from recpair.testing.models import checkerboard

    return checkerboard().drop("timestamp")


@pytest.fixture
def bare(quick):
    """``quick`` for models that are fitted without a loss."""
    return {name: section for name, section in quick.items() if name not in ("sampler", "model", "train")}


@pytest.fixture
def quick(tmp_path):
    """A config that trains on the checkerboard in a second, into a folder of the test's own."""
    return {
        "split": {"name": "predefined"},
        "sampler": {"batch_size": 256},
        "model": {"name": "mf", "embedding_dim": 8, "init": "normal"},
        "train": {"epochs": 5, "learning_rate": 0.05, "seed": 1},
        "evaluate": {"metrics": ["hit", "ndcg"], "cutoffs": [1, 5], "monitor": "ndcg@5"},
        "tracking": None,
        "output": str(tmp_path / "run"),
    }
