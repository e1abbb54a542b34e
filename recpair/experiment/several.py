"""Training of several runs in one output folder, as children of one tracked run."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from recpair import files, processes, raw_config
from recpair.config import Config
from recpair.errors import ConfigError
from recpair.experiment.loading import load_config
from recpair.experiment.resume import Begun, begin
from recpair.experiment.titles import components
from recpair.experiment.tracked import close_members, open_run, reconcile_members, tracker_of
from recpair.run.folder import RunFolder
from recpair.run.output import Output, State
from recpair.run.run import Run
from recpair.training.log import Log

logger = logging.getLogger("recpair")


class FitOne(Protocol):
    """``fit.fit_into``: trains one run into an output folder that is locked by the caller."""

    def __call__(
        self,
        output: Output,
        config: Config,
        *,
        data: Any = None,
        items: Any = None,
        resume: bool = False,
        log: Log | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Run: ...


@dataclass(frozen=True)
class Several:
    """Runs of one output folder.

    Attributes:
        fit_one: trains one of them.
        config: config of the whole, whose output they share.
        overrides: name of each run → what its config changes.
        summary: file in the output folder with the result of ``summarise``, which receives the folder of the runs.
        tags: tags of the parent of the tracked runs.
        seeds: whether the runs have different seeds.
    """

    fit_one: FitOne
    config: Config
    overrides: Mapping[str, Sequence[str]]
    summary: str
    summarise: Callable[[Path], dict[str, Any]]
    tags: Mapping[str, str]
    seeds: bool = False

    def fit(self, data: Any, items: Any, resume: bool, log: Log | None) -> dict[str, Any]:
        """Train all runs one after another, and write and return the summary.

        Raises:
            ConfigError: a config is invalid, or there are several processes.
        """
        if processes.in_all() > 1:
            kind = "seeds" if self.seeds else "folds"
            raise ConfigError(f"several {kind} train one after another in one process; start them without torchrun")
        output = Output(Path(self.config["output"]), self.config["output_keep"])
        with output.locked():
            return self.into(output, data, items, resume, log)

    def into(self, output: Output, data: Any, items: Any, resume: bool, log: Log | None) -> dict[str, Any]:
        """``fit`` with an output folder that is locked by the caller."""
        members = {name: self._config_of(output, name) for name in self.overrides}
        begun = begin(output, self.config, None, resume, seeds=self.seeds)
        if begun.state is State.COMPLETE:
            return self._finished(begun)
        output.start(self.config.to_yaml(), None, begun.state)
        record = {"name": output.final.name, "fingerprint": "see the children", "source": {}, "sizes": {}}
        with tracker_of(self.config["tracking"]) as parent:
            parts, resumed = components(self.config), begun.state is not State.EMPTY
            open_run(parent, output, parts, self.config.flat(), record, resumed, self.tags)
            inherited = {} if parent.run_id is None else {"mlflow.parentRunId": parent.run_id}
            for name, member in members.items():
                inner = output.below(name)
                self.fit_one(inner, member, data=data, items=items, resume=resume, log=log, tags=inherited)
            summary = self.summarise(output.work)
            files.write_json(output.work / self.summary, summary)
            output.complete()
            close_members(parent, output.work, summary)
        return summary

    def _config_of(self, output: Output, name: str) -> Config:
        placed = raw_config.assignment("output", str(output.final / name))
        return load_config(self.config, [*self.overrides[name], placed])

    def _finished(self, begun: Begun) -> dict[str, Any]:
        """Return the summary of a finished folder; complete its tracked run if the process was killed before doing so."""
        folder = RunFolder.open(begun.folder)
        runs = folder.members()
        if not begun.finished or runs != list(self.overrides):
            raise ConfigError(
                f"{begun.folder} is complete with the runs {', '.join(runs)[:200]}; choose another output for other "
                f"seeds or more epochs"
            )
        logger.info("%s is already finished", begun.folder)
        summary = folder.json(self.summary)
        with tracker_of(self.config["tracking"]) as parent:
            reconcile_members(parent, begun.folder, summary)
        return summary


def spread(records: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Mean and standard deviation of each metric over several runs; a standard deviation of 0 for one run."""
    return {
        name: {"mean": float(np.mean(values)), "sd": float(np.std(values, ddof=1)) if len(values) > 1 else 0.0}
        for name in records[0]
        for values in [[record[name] for record in records]]
    }
