"""Training of one config with several seeds."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recpair.boundary import boundary
from recpair.config import Config
from recpair.errors import ConfigError, shown
from recpair.experiment.fit import fit_into
from recpair.experiment.folds import has_folds, several_folds
from recpair.experiment.loading import load_config
from recpair.experiment.several import FitOne, Several, spread
from recpair.run.asked import is_list
from recpair.run.folder import SEEDS, RunFolder
from recpair.training.log import Log


@boundary
def fit_seeds(
    config: str | Path | Mapping[str, Any] | Config,
    seeds: Sequence[int],
    overrides: Sequence[str] = (),
    *,
    data: Any = None,
    items: Any = None,
    resume: bool = False,
    log: Log | None = None,
) -> dict[str, Any]:
    """Train one run per ``train.seed``, in ``<output>/seed-<n>``; return mean and standard deviation of each test metric.

    The result (runs, and test by metric) is also written to ``<output>/seeds.json``. In MLflow, the runs are
    children of one parent run. With the split ``rolling``, each fold is trained with each seed, in
    ``<output>/fold-<f>-seed-<n>``, and the result is the content of ``folds.json``.

    Raises:
        ConfigError: seeds are missing, duplicate or invalid, or there are several processes.
    """
    if not is_list(seeds) or len(seeds) == 0 or len({*map(str, seeds)}) != len(seeds):
        raise ConfigError(f"seeds are {shown(seeds)}; expected a list of distinct seeds")
    several = several_seeds(fit_into, load_config(config, overrides), seeds, data, items)
    return several.fit(data, items, resume, log)


def several_seeds(
    fit_one: FitOne,
    config: Config,
    seeds: Sequence[int],
    data: Any = None,
    items: Any = None,
    tags: Mapping[str, str] | None = None,
) -> Several:
    """Return the runs of ``fit_seeds``, not yet trained."""
    changes = {f"seed-{seed}": [f"train.seed={seed}"] for seed in seeds}
    if has_folds(config):
        return several_folds(fit_one, config, seeds=changes, data=data, items=items, tags=tags)

    def summarise(folder: Path) -> dict[str, Any]:
        records = [RunFolder.open(folder / name).metrics()["test"] for name in changes]
        return {"runs": list(changes), "test": spread(records)}

    named = {"seeds": ",".join(map(str, seeds)), **(tags or {})}
    return Several(fit_one, config, changes, SEEDS, summarise, named, seeds=True)
