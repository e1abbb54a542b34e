"""recpair: recommenders from noisy implicit feedback.

>>> import recpair
>>> run = recpair.fit("configs/ml-100k/mf-bpr-pld.yaml")
>>> run.recommend(["196", "22"], k=10)

Names are imported on first use, so that ``import recpair`` is fast.
"""

import importlib
from typing import TYPE_CHECKING, Any

from recpair import compiled

if TYPE_CHECKING:
    from recpair.config import Config as Config
    from recpair.data.interactions import Interactions as Interactions
    from recpair.errors import RecpairError as RecpairError
    from recpair.experiment.blend import blend as blend
    from recpair.experiment.evaluate import evaluate as evaluate
    from recpair.experiment.export import export as export
    from recpair.experiment.fit import fit as fit
    from recpair.experiment.init import init as init
    from recpair.experiment.load import load as load
    from recpair.experiment.loading import load_config as load_config
    from recpair.experiment.retraining import refit as refit
    from recpair.run.folds import Folds as Folds
    from recpair.run.run import Run as Run
    from recpair.tuning.study import study as study
    from recpair.tuning.tune import tune as tune

_HOME = {
    "Config": "config",
    "Folds": "run.folds",
    "Interactions": "data.interactions",
    "RecpairError": "errors",
    "Run": "run.run",
    "blend": "experiment.blend",
    "evaluate": "experiment.evaluate",
    "export": "experiment.export",
    "fit": "experiment.fit",
    "init": "experiment.init",
    "load": "experiment.load",
    "load_config": "experiment.loading",
    "refit": "experiment.retraining",
    "study": "tuning.study",
    "tune": "tuning.tune",
}
__all__ = [*_HOME]
__version__ = "0.2.0"
compiled.provide_folder()  # before numba is imported


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'recpair' has no attribute {name!r}")
    return getattr(importlib.import_module(f"recpair.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
