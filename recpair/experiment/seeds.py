"""Training of one config with several seeds."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recpair import processes
from recpair.boundary import boundary
from recpair.config import Config
from recpair.errors import ConfigError, shown
from recpair.experiment.compare import summarise_seeds
from recpair.experiment.fit import fit_into
from recpair.experiment.loading import load_config
from recpair.experiment.resume import Begun, begin
from recpair.experiment.titles import components
from recpair.experiment.tracked import close_seeds, open_run, reconcile_seeds, tracker_of
from recpair.run.asked import is_list
from recpair.run.folder import SEEDS, RunFolder
from recpair.run.output import Output, State
from recpair.training.log import Log

logger = logging.getLogger("recpair")


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
    children of one parent run.

    Raises:
        ConfigError: seeds are missing, duplicate or invalid, or there are several processes.
    """
    if not is_list(seeds) or len(seeds) == 0 or len({*map(str, seeds)}) != len(seeds):
        raise ConfigError(f"seeds are {shown(seeds)}; expected a list of distinct seeds")
    if processes.in_all() > 1:
        raise ConfigError("several seeds train one after another in one process; start them without torchrun")
    checked = load_config(config, overrides)
    output = Output(Path(checked["output"]), checked["output_keep"])
    members = {
        f"seed-{seed}": load_config(
            checked, [f"train.seed={seed}", f"output={json.dumps(str(output.final / f'seed-{seed}'))}"]
        )
        for seed in seeds
    }
    with output.locked():
        begun = begin(output, checked, None, resume, seeds=True)
        if begun.state is State.COMPLETE:
            summary = _finished_seeds(begun, list(members))
            with tracker_of(checked["tracking"]) as parent:
                reconcile_seeds(parent, begun.folder, summary)
            return summary
        output.start(checked.to_yaml(), None, begun.state)
        record = {"name": output.final.name, "fingerprint": "see the children", "source": {}, "sizes": {}}
        with tracker_of(checked["tracking"]) as parent:
            tags = {"seeds": ",".join(map(str, seeds))}
            open_run(parent, output, components(checked), checked.flat(), record, begun.state is not State.EMPTY, tags)
            inherited = {} if parent.run_id is None else {"mlflow.parentRunId": parent.run_id}
            for name, member in members.items():
                inner = output.below(name)
                fit_into(inner, member, data=data, items=items, resume=resume, log=log, tags=inherited)
            summary = summarise_seeds(output.work, list(members))
            output.complete()
            close_seeds(parent, output.work, summary)
    return summary


def _finished_seeds(begun: Begun, members: list[str]) -> dict[str, Any]:
    """Return the summary of a finished run with several seeds."""
    summary = RunFolder.open(begun.folder).json(SEEDS)
    if not begun.finished or summary.get("runs") != members:
        raise ConfigError(
            f"{begun.folder} is complete with the runs {', '.join(map(str, summary.get('runs', [])))[:200]}; "
            f"choose another output for other seeds or more epochs"
        )
    logger.info("%s is already finished", begun.folder)
    return summary
