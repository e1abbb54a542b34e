"""Files of a finished run, except for its config and checkpoints."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from recpair import files
from recpair.data.splitting import Splits
from recpair.evaluation.evaluator import Evaluation, Evaluator
from recpair.markdown import escaped, table
from recpair.models import Model
from recpair.run import folder as run_folder
from recpair.run.environment import environment
from recpair.training.progress import Progress

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Outcome:
    """Results of training and testing.

    Attributes:
        model: the model, with the weights of the best epoch.
        valid: mean validation metrics at the best epoch.
        test, floor: test evaluation of the model and of the most popular items; empty without a test part.
        load_seconds: time to read and split the data.
        losses: recorded losses of each training event (``audit.parquet``); None if none were recorded.
        pool: losses of the candidates that the denoiser chose, and of the others; None without a denoiser.
        valid_floor: mean validation metrics of the most popular items; empty without a validation part.
    """

    model: Model
    progress: Progress
    valid: dict[str, float]
    test: Evaluation
    floor: Evaluation
    load_seconds: float
    losses: pl.DataFrame | None = None
    pool: tuple[np.ndarray, np.ndarray] | None = None
    valid_floor: dict[str, float] = field(default_factory=dict)

    def timing(self) -> dict[str, float]:
        """Seconds of loading, of the median epoch and of the test, and training queries per second."""
        seconds = self.progress.epoch_seconds
        epoch = statistics.median(seconds) if seconds else 0.0
        return {
            "load_s": self.load_seconds,
            "epoch_s": epoch,
            "samples_per_s": self.progress.samples / epoch if epoch else 0.0,
            "evaluate_s": self.test.seconds,
        }

    def metrics(self) -> dict[str, Any]:
        """Content of ``metrics.json``, except for the MLflow run id."""
        return {
            "valid": self.valid,
            "test": self.test.means,
            "popularity": self.floor.means,
            "best_epoch": self.progress.best_epoch,
            "epochs": self.progress.epoch,
            "timing": self.timing(),
        }


@dataclass(frozen=True)
class RunReport:
    """Writer of an outcome into a run folder.

    Attributes:
        title: for example ``mf · bpr · pld on ml-100k``.
        monitor: the metric that chose the epoch; None if the last epoch was kept.
        warnings, notes: warnings about the result, and notes on the config, for the summary.
        details: further lines of the summary, in Markdown.
    """

    folder: Path
    title: str
    monitor: str | None
    splits: Splits
    outcome: Outcome
    warnings: Sequence[str] = ()
    notes: Sequence[str] = ()
    details: Sequence[str] = ()
    figures: dict[str, "Figure"] = field(default_factory=dict)

    def write(self, evaluator: Evaluator | None, *, draw: bool = True) -> None:
        """Write all files needed to load and read the run except ``metrics.json``, which the caller writes last."""
        outcome, splits = self.outcome, self.splits
        run_folder.write_model(self.folder, outcome.model)
        run_folder.write_training_data(self.folder, splits.train, splits.noise)
        if splits.items is not None:
            files.write_frame(self.folder / run_folder.ITEMS, splits.items)
        if splits.users is not None:
            files.write_frame(self.folder / run_folder.USERS, splits.users)
        if outcome.losses is not None:
            files.write_frame(self.folder / run_folder.AUDIT, outcome.losses)
        history = outcome.progress.history
        schema = {"epoch": pl.Int32, "metric": pl.String, "value": pl.Float64}
        frame = pl.DataFrame(history, schema=schema, orient="row")
        files.write_frame(self.folder / run_folder.HISTORY, frame)
        files.write_frame(self.folder / run_folder.PER_USER, self._per_user())
        files.write_json(self.folder / run_folder.ENVIRONMENT, environment())
        if draw:
            self._draw(frame, evaluator)
        files.write_text(self.folder / run_folder.SUMMARY, self.summary())

    def _per_user(self) -> pl.DataFrame:
        """Test metrics by external user id, with the number of training events."""
        frame, train = self.outcome.test.per_user, self.splits.train
        users = frame["user"].to_numpy()
        head = [train.vocabulary.users.of(users), pl.Series("train_events", np.diff(train.indptr)[users])]
        return pl.DataFrame([*head, *frame.drop("user").get_columns()])

    def _draw(self, history: pl.DataFrame, evaluator: Evaluator | None) -> None:
        from recpair.figures import write_figure  # imports matplotlib
        from recpair.run import plots

        outcome = self.outcome
        if outcome.progress.epoch:
            self.figures["curves"] = plots.curves(history, outcome.progress.best_epoch, self.monitor)
        recalls = [name for name in outcome.test.per_user.columns if name.startswith("recall@")]
        if recalls and evaluator is not None:
            both = {"this model": outcome.test, "most popular": outcome.floor}
            groups = {name: evaluator.by_activity(evaluation, recalls[-1]) for name, evaluation in both.items()}
            self.figures["recall_by_activity"] = plots.by_activity(groups, recalls[-1])
        if outcome.losses is not None:
            self.figures["audit"] = plots.audit(self.splits.train, outcome.losses, self.splits.noise)
        if outcome.pool is not None:
            self.figures["choices"] = plots.choices(*outcome.pool)
        for name, figure in self.figures.items():
            write_figure(self.folder / run_folder.PLOTS / f"{name}.png", figure)

    def summary(self) -> str:
        """Markdown page with the title, the data, the test metrics beside those of the most popular items, and the plots."""
        outcome = self.outcome
        sizes = self.splits.report
        head = ["test metric", "this model", "most popular"]
        cells = [
            [name, f"{value:.4f}", f"{outcome.floor.means[name]:.4f}"] for name, value in outcome.test.means.items()
        ]
        tested = f"; {outcome.test.n_users:,} test users" if cells else ""
        rows = [*table(head, cells, left=1), ""] if cells else []
        data = ", ".join(f"{value:,} {name.replace('_', ' ')}" for name, value in sizes.items() if value)
        return "\n".join(
            [
                f"# {escaped(self.title)}",
                "",
                f"Data: {escaped(self.splits.name)} ({self.splits.fingerprint}): {data}.",
                "",
                f"{self._choice()}{tested}.",
                "",
                *rows,
                *self.details,
                *(f"- Warning: {escaped(warning)}." for warning in self.warnings),
                *(f"- Note: {escaped(note)}." for note in (*self.notes, *self.splits.notes)),
                "",
                *(f"![{name}]({run_folder.PLOTS}/{name}.png)" for name in self.figures),
                "",
            ]
        )

    def _choice(self) -> str:
        """Sentence on the epoch that was kept, the reason, and the seconds per epoch."""
        progress = self.outcome.progress
        if progress.epoch == 0:
            return "Fitted without epochs"
        kept = f"The last of {progress.epoch} epochs"
        if self.monitor is not None:
            kept = f"Best epoch {progress.best_epoch} of {progress.epoch}, chosen by validation {self.monitor}"
        return f"{kept}; {self.outcome.timing()['epoch_s']:.2f} s an epoch"
