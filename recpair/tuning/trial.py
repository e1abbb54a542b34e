"""One trial of a search: a run that is not tested, reported to the pruner after each validation."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recpair.errors import RecpairError, TrainingError
from recpair.experiment.fit import fit_into
from recpair.run.manifest import CHECKPOINT
from recpair.run.output import Output
from recpair.run.run import Run
from recpair.training.checkpoint import history
from recpair.tuning.ask import reopened
from recpair.tuning.parts import Part, parts_for
from recpair.tuning.plan import Plan
from recpair.tuning.store import quiet

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial, Trial

TRIALS = "trials"
logger = logging.getLogger("recpair")


def name_of(number: int) -> str:
    """Return the folder of a trial below that of its search."""
    return f"{TRIALS}/{number:04d}"


@dataclass
class Reports:
    """Log that reports the metric of each validation to the pruner, and ends training if the trial is pruned.

    A trial over several folds is reported after each fold instead, with the mean so far.

    Attributes:
        pruned: epoch (or fold) after which the trial was pruned; 0 if it was not.
    """

    trial: "Trial"
    metric: str
    pruned: int = 0
    last: int = 0

    def step(self, epoch: int, done: int, steps: int) -> None:
        """Do nothing."""

    def epoch(self, number: int, values: Mapping[str, float]) -> bool:
        value = values.get(f"valid/{self.metric}")
        return bool(self.pruned) if value is None else self.report(value, number)

    def report(self, value: float, number: int) -> bool:
        """Report the value after an epoch (or fold), from 1; return True if the trial is pruned."""
        if number > self.last and not self.pruned:
            self.last = number
            self.trial.report(value, number)
            if self.trial.should_prune():
                self.pruned = number
        return bool(self.pruned)

    def replay(self, rows: Sequence[tuple[int, str, float]]) -> None:
        """Report the validations of earlier epochs."""
        for epoch, metric, value in rows:
            self.epoch(epoch, {metric: value})


def run_trial(
    plan: Plan,
    known: "Sequence[FrozenTrial]",
    asked: "Sequence[FrozenTrial]",
    output: Output,
    parts: Sequence[Part],
    tags: Mapping[str, str],
) -> "FrozenTrial":
    """Run the last of the asked trials, or continue it, and return it with its result.

    A trial whose training diverges is returned as failed, with the error as the attribute ``error``.
    """
    study, trial = reopened(plan, known, asked)
    number, started = asked[-1].number, time.perf_counter()
    reports, runs = Reports(trial, plan.metric), []
    with quiet():
        try:
            for part in parts_for(parts, plan.trial(number, asked[-1].params, output.final)):
                inner = output.below(f"{name_of(number)}/{part.name}".rstrip("/"))
                config = plan.trial(number, asked[-1].params, inner.final, part.overrides)
                log = None if part.name else reports
                if log is not None:
                    log.replay(history(inner.work / CHECKPOINT))
                with silent():
                    prepared = part.prepared
                    run = fit_into(inner, config, resume=True, log=log, tags=tags, prepared=prepared, trial=True)
                runs.append(run)
                if log is not None:
                    log.replay(runs[0].history.rows())
                elif reports.report(_mean(runs, plan.metric), len(runs)):
                    break
        except TrainingError as error:
            return _failed(study, trial, error, time.perf_counter() - started)
        return _finished(study, trial, runs, reports, plan.metric, time.perf_counter() - started)


def _finished(
    study: "Study", trial: "Trial", runs: Sequence[Run], reports: Reports, metric: str, seconds: float
) -> "FrozenTrial":
    from optuna.trial import TrialState

    for key in ("epochs", "best_epoch"):
        trial.set_user_attr(key, max(run.metrics[key] for run in runs))
    trial.set_user_attr("seconds", round(seconds, 2))
    state = TrialState.PRUNED if reports.pruned else TrialState.COMPLETE
    value = None if reports.pruned else _mean(runs, metric)  # that of a pruned trial is its last report
    return study.tell(trial, value, state=state)


def _mean(runs: Sequence[Run], metric: str) -> float:
    """Return the mean of a validation metric over the folds."""
    return sum(float(run.metrics["valid"][metric]) for run in runs) / len(runs)


def _failed(study: "Study", trial: "Trial", error: RecpairError, seconds: float) -> "FrozenTrial":
    from optuna.trial import TrialState

    trial.set_user_attr("error", str(error))
    trial.set_user_attr("seconds", round(seconds, 2))
    return study.tell(trial, state=TrialState.FAIL)


@contextmanager
def silent() -> Iterator[None]:
    """Hide the notes and warnings of single runs."""
    logger.addFilter(_nothing)
    try:
        yield
    finally:
        logger.removeFilter(_nothing)


def _nothing(record: Any) -> bool:
    return False
