"""The earlier run of a refit: warm start from its weights, and comparison with it on the new test part."""

import logging
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from recpair import files
from recpair.comparison.significance import paired
from recpair.config import Config
from recpair.data.interactions import Interactions
from recpair.data.splitting import Splits
from recpair.errors import ConfigError, RunError
from recpair.evaluation.evaluator import Evaluator
from recpair.evaluation.names import only_metric
from recpair.models import GradientModel, Model
from recpair.models.realigned import Realigned
from recpair.registry import options_in
from recpair.run.folder import METRICS, RunFolder
from recpair.run.manifest import CHECKPOINT
from recpair.run.refitted import ALL, KNOWN, UNKNOWN
from recpair.run.run import Run
from recpair.run.trained_ids import TrainedIds
from recpair.training.warm_start import Alignment, WarmStart, warm_start

logger = logging.getLogger("recpair")

NOTE = "refit_of"  # file of an unfinished refit with the id of the earlier run
ENOUGH = 20  # users that both runs know, for a decision on these users alone


@dataclass(eq=False)
class Earlier:
    """Run that a refit starts from and is compared with.

    Attributes:
        metric: test metric of the comparison, with values per user.
        margin: the refitted run is promoted if the lower bound of the 95 % interval of the difference is above −margin
            times the mean of the earlier run.
        warm: whether to start from the weights of the run.
        started: result of the warm start.
        left_out: mask of the test events that are training events of the run, which are not compared.
    """

    run: Run
    metric: str
    margin: float
    warm: bool = True
    started: WarmStart | None = None
    left_out: np.ndarray | None = None

    @cached_property
    def id(self) -> str:
        """Id of the run: that of its manifest; for runs of earlier versions, the checksum of their metrics."""
        manifest = self.run.files.manifest
        return files.sha256(self.run.folder / METRICS)[:32] if manifest is None else manifest.id

    @property
    def record(self) -> dict[str, Any]:
        """Path, id and fingerprint of the run, and the id of its tracked run."""
        metrics = self.run.metrics
        ids = {"id": self.id, "fingerprint": metrics["data"]["fingerprint"], "mlflow_run_id": metrics["mlflow_run_id"]}
        return {"path": str(self.run.folder), **ids}

    def alignment(self, now: Interactions) -> Alignment:
        """Return the earlier index of each user and item; −1 for those without an earlier training event."""
        ids, vocabulary = TrainedIds(self.run.recommender.train), now.vocabulary
        users, items = ids.find("user", vocabulary.users.values), ids.find("item", vocabulary.items.values)
        return Alignment(users, items, ids.train.n_users, ids.train.n_items)

    def leaked(self, test: Interactions) -> np.ndarray:
        """Mask (E,) of the test events that are training events of the earlier run.

        Events are the same if user, item and time are. Without times in both runs, or with times of another unit, it is
        enough that user and item are.
        """
        train, ids = self.run.recommender.train, self.alignment(test)
        user, item = ids.users[test.user].astype(np.int64), ids.items[test.item].astype(np.int64)
        pairs, trained = user * train.n_items + item, train.user.astype(np.int64) * train.n_items + train.item
        trained_on: np.ndarray = (user >= 0) & (item >= 0) & np.isin(pairs, trained)
        if not trained_on.any() or not _comparable(test.time, train.time):
            return trained_on
        assert test.time is not None
        assert train.time is not None
        same = np.isin(trained, pairs[trained_on])
        earlier = pl.DataFrame({"pair": trained[same], "time": train.time[same]})
        ours = pl.DataFrame(
            {"row": np.flatnonzero(trained_on), "pair": pairs[trained_on], "time": test.time[trained_on]}
        )
        leaked = np.zeros(len(test), dtype=bool)
        leaked[ours.join(earlier, on=["pair", "time"], how="semi")["row"].to_numpy()] = True
        return leaked

    def prepare(self, config: Config, splits: Splits, model: Model) -> None:
        """Check the comparison, then copy the weights of known users and items into the model."""
        self.check(config, splits)
        self.start(model, splits)

    def check(self, config: Config, splits: Splits) -> None:
        """Check, before training, that the runs can be compared on the test part.

        Raises:
            RunError: fewer than two test users are left without the training events of the earlier run.
            ConfigError: the metric has no values per user, or its cut-off is larger than the catalogue.
        """
        self.left_out = leaked = self.leaked(splits.test)
        if len(np.unique(splits.test.user[~leaked])) < 2:
            raise RunError(
                f"{int(leaked.sum()):,} of {len(leaked):,} test events are among the training events of {self.run.folder}, "
                f"which leaves fewer than two users to compare on; give later data, or split=temporal"
            )
        self._evaluator(config, splits)
        if leaked.any():
            logger.info(
                "%s of %s test events are among the training events of %s and are left out of the comparison",
                f"{int(leaked.sum()):,}",
                f"{len(leaked):,}",
                self.run.folder,
            )

    def start(self, model: Model, splits: Splits) -> None:
        """Copy the weights of known users and items into a gradient model of the same kind."""
        ours, theirs = type(model), type(self.run.model)
        if not self.warm or not isinstance(model, GradientModel):
            return
        if ours is not theirs:
            logger.info(
                "the model was %s and is %s now; it starts without earlier weights", theirs.__name__, ours.__name__
            )
            return
        ids = self.alignment(splits.train)
        self.started = warm_start(model, self.run.model.state_dict(), ids)
        for kind, rows in (("users", ids.users), ("items", ids.items)):
            logger.info(
                "%s of %s %s are known to %s", f"{(rows >= 0).sum():,}", f"{len(rows):,}", kind, self.run.folder
            )
        if self.started.left:
            logger.info("without earlier weights: %s", ", ".join(self.started.left))

    def note(self, folder: Path) -> None:
        """Store the id of the run in an unfinished refit.

        Raises:
            RunError: the folder holds the refit of another run.
        """
        path = folder / CHECKPOINT / NOTE
        if path.is_file() and path.read_text(encoding="utf-8") != self.id:
            raise RunError(
                f"{folder} was started as the refit of another run than {self.run.folder}; leave out --resume"
            )
        files.write_text(path, self.id)

    def require_refit(self, folder: RunFolder) -> None:
        """Raise a RunError unless a complete run is a refit of this run."""
        if folder.metrics().get("refit", {}).get("earlier", {}).get("id") != self.id:
            raise RunError(
                f"{folder.path} is not a refit of {self.run.folder}; leave out --resume, or choose another --out"
            )

    def compare(self, config: Config, splits: Splits, model: Model) -> dict[str, Any]:
        """Compare both models on the test events that the earlier run has not trained on; return the record.

        Test users that both runs know decide if there are at least 20; otherwise all test users do. Both models mask
        the events before the test and rank the new catalogue, the earlier one as ``Realigned``.
        """
        evaluator, ids = self._evaluator(config, splits), self.alignment(splits.train)
        train = self.run.recommender.train
        old = Realigned(self.run.model, train, ids.users, ids.items, splits.train)
        theirs, ours = (
            evaluator.evaluate(each, vectors_of=model).per_user[self.metric].to_numpy() for each in (old, model)
        )
        known = ids.users[evaluator.users] >= 0
        masks = {KNOWN: known, UNKNOWN: ~known, ALL: np.ones(len(known), dtype=bool)}
        groups = [_group(name, ours[mask], theirs[mask]) for name, mask in masks.items() if mask.any()]
        decisive = KNOWN if known.sum() >= ENOUGH else ALL
        deciding = next(group for group in groups if group["group"] == decisive)
        held_out = evaluator.held_out
        return {
            "earlier": self.record,
            "warm_start": None if self.started is None else self.started.record(),
            "metric": self.metric,
            "margin": self.margin,
            "test_events": len(splits.test),
            "leaked_events": len(splits.test) - len(held_out),
            "events_of_new_items": int((ids.items[held_out.item] < 0).sum()),
            "groups": groups,
            "decided_on": decisive,
            "promote": bool(deciding["low"] > -self.margin * deciding["earlier"]),
        }

    def _evaluator(self, config: Config, splits: Splits) -> Evaluator:
        """Evaluator of the metric on the test events that are not among the earlier training events."""
        options = options_in(only_metric(config["evaluate"], self.metric), Evaluator)
        assert self.left_out is not None, "check comes before the comparison"
        test = splits.test.select(~self.left_out)
        evaluator = Evaluator(splits.train, test, (splits.valid,), **options)
        measure = evaluator.measures[0]
        if not measure.per_list or measure.requires("texts"):
            raise ConfigError(f"metric is {self.metric}, which has no values per user; choose one such as ndcg@10")
        return evaluator


def _group(name: str, ours: np.ndarray, theirs: np.ndarray) -> dict[str, Any]:
    """Means of a group of users, and the paired test if there are at least two of them."""
    means = {"group": name, "users": len(ours), "earlier": float(theirs.mean()), "refitted": float(ours.mean())}
    return means | (asdict(paired(ours, theirs)) if len(ours) > 1 else {"difference": float(ours[0] - theirs[0])})


def _comparable(ours: np.ndarray | None, theirs: np.ndarray | None) -> bool:
    """Return True if both times exist and are of one order of magnitude; units differ by factors of 1,000."""
    if ours is None or theirs is None:
        return False
    first, second = (float(np.abs(times.astype(np.float64)).max(initial=1)) for times in (ours, theirs))
    return 0.05 < first / second < 20
