"""Search of a space in an output folder: trials until the budget is used, one after another or several at a time."""

import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from recpair.errors import ConfigError
from recpair.run.output import Output
from recpair.tuning.ask import ask
from recpair.tuning.limits import limit_threads
from recpair.tuning.parts import Part, parts_for, parts_of
from recpair.tuning.plan import Plan
from recpair.tuning.space import described, values_of
from recpair.tuning.store import Store
from recpair.tuning.trial import run_trial

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

logger = logging.getLogger("recpair")


@dataclass(frozen=True)
class Workers:
    """Processes that run trials.

    Attributes:
        jobs: trials that run at the same time; their parameters do not depend on each other's results.
        pool: the processes; None to run each trial in this process.
    """

    jobs: int = 1
    pool: Executor | None = None


@contextmanager
def workers(jobs: int) -> Iterator[Workers]:
    """Start the processes of a search, which share the cores."""
    if jobs == 1:
        yield Workers()
        return
    threads = max(1, (os.cpu_count() or 1) // jobs)
    with ProcessPoolExecutor(jobs, get_context("spawn"), initializer=limit_threads, initargs=(threads,)) as pool:
        yield Workers(jobs, pool)


@dataclass
class Search:
    """A plan, its output folder, and its finished trials.

    Attributes:
        parts: data and evaluators of the config, by fold.
        tags: tags of the tracked run of each trial.
        deadline: value of ``time.monotonic`` after which no trial is started.
        label: name of the search in messages.
    """

    plan: Plan
    output: Output
    store: Store
    parts: Sequence[Part]
    tags: Mapping[str, str] = field(default_factory=dict)
    deadline: float | None = None
    label: str = ""

    @property
    def finished(self) -> "Sequence[FrozenTrial]":
        return self.store.finished

    @property
    def best(self) -> "FrozenTrial":
        """Complete trial with the highest metric; the first of equal ones.

        Raises:
            ConfigError: no trial is complete.
        """
        complete = [trial for trial in self.finished if trial.state.name == "COMPLETE"]
        if not complete:
            reason = next((trial.user_attrs["error"] for trial in self.finished if "error" in trial.user_attrs), "")
            raise ConfigError(f"{self.label or 'the search'}: no trial is complete ({reason or 'out of time'})")
        return max(complete, key=lambda trial: (trial.value, -trial.number))

    def run(self, using: Workers, until: int | None = None) -> None:
        """Run trials until there are ``until`` (by default, all of the plan), or the deadline has passed.

        The trials of a batch are asked together, so the parameters do not depend on which of them ends first.
        """
        until = self.plan.trials if until is None else until
        while len(self.finished) < until:
            if self.deadline is not None and time.monotonic() > self.deadline and self.finished:
                logger.info("%sout of time after %s trials", self._prefix, len(self.finished))
                return
            start = len(self.finished) // using.jobs * using.jobs
            known = self.finished[:start]
            asked = ask(self.plan, known, min(using.jobs, until - start))
            left = range(len(self.finished) - start, len(asked))
            for trial in self._results(using, known, [asked[: i + 1] for i in left]):
                self.store.add(trial)
                self._log(trial)

    def _results(
        self, using: Workers, known: "Sequence[FrozenTrial]", batches: "Sequence[Sequence[FrozenTrial]]"
    ) -> Iterator["FrozenTrial"]:
        """Run the last trial of each sequence of asked trials."""
        tags = dict(self.tags)
        if using.pool is None:
            for asked in batches:
                yield run_trial(self.plan, known, asked, self.output, self.parts, tags)
            return
        source = Source(self.plan.config, self.parts[0].prepared.data, self.parts[0].prepared.items)
        futures = [
            using.pool.submit(_in_process, self.plan, known, asked, self.output, source, tags) for asked in batches
        ]
        for future in futures:
            yield future.result()

    @property
    def _prefix(self) -> str:
        return f"{self.label}: " if self.label else ""

    def _log(self, trial: "FrozenTrial") -> None:
        values = (
            described(values_of(self.plan.space, trial.params))
            if trial.number
            else "the first trial: no value is changed"
        )
        if "error" in trial.user_attrs:
            logger.info("%strial %s failed: %s (%s)", self._prefix, trial.number, trial.user_attrs["error"], values)
            return
        best = max(t.value for t in self.finished if t.value is not None)
        logger.info(
            "%strial %s (%s of %s): %s %.4f%s, best %.4f, %.1f s (%s)",
            self._prefix,
            trial.number,
            trial.number + 1,
            self.plan.trials,
            self.plan.metric,
            trial.value,
            f", pruned after epoch {trial.last_step}" if trial.state.name == "PRUNED" else "",
            best,
            trial.user_attrs["seconds"],
            values,
        )


@dataclass(frozen=True)
class Source:
    """Config and events from which a worker process prepares the data itself."""

    config: Any
    data: Any
    items: Any


_parts: Sequence[Part] = ()  # of a worker process, kept for its next trial


def _in_process(
    plan: Plan, known: Any, asked: Any, output: Output, source: Source, tags: dict[str, str]
) -> "FrozenTrial":
    """Run a trial in a worker process."""
    from recpair.tuning.trial import silent

    global _parts
    with silent():
        _parts = parts_for(_parts, source.config) if _parts else parts_of(source.config, source.data, source.items)
    return run_trial(plan, known, asked, output, _parts, tags)
