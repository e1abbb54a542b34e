"""Result of a config over rolling folds: a folder of runs and its summary."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from recpair.boundary import boundary
from recpair.errors import RunError
from recpair.markdown import escaped, table
from recpair.run.folder import CONFIG, FOLDS, RunFolder, consistent, holding, read_config
from recpair.run.run import Run

CAVEAT = (
    "The folds share users and training events, so their values are not independent: the interval describes the spread "
    "over time, and may be too narrow as an interval of the mean"
)
COUNTS = ("train_events", "valid_events", "test_events", "test_users", "untested_events")


@dataclass(frozen=True)
class Folds:
    """Folder with a run per fold, as ``fit`` returns it for the split ``rolling``.

    ``metrics``, ``config`` and ``folder`` are used as those of a ``Run``. All that needs one model raises a RunError that
    names the runs.

    Attributes:
        summary: the content of ``folds.json``: ``summary["test"]["ndcg@10"]`` has mean, sd, low and high.
    """

    folder: Path
    summary: dict[str, Any]

    @classmethod
    @boundary
    def open(cls, folder: str | Path) -> "Folds":
        """Open the folder of a finished fit over folds.

        Raises:
            RunError: the folder does not hold folds.
        """
        return consistent(Path(folder), cls._read)

    @classmethod
    def _read(cls, files: RunFolder) -> "Folds":
        if not files.has(FOLDS):
            raise RunError(f"{files.path} does not hold folds: {FOLDS} is missing; load it with recpair.load")
        return cls(files.path, files.json(FOLDS))

    @property
    def config(self) -> dict[str, Any]:
        """Effective config, by section."""
        return read_config(self.folder / CONFIG)

    @property
    def metrics(self) -> dict[str, dict[str, float]]:
        """Mean over the folds of each metric of ``valid``, ``test`` and ``popularity``, as in the metrics of a run."""
        parts = ("valid", "test", "popularity")
        return {part: {name: by["mean"] for name, by in self.summary[part].items()} for part in parts}

    @property
    def runs(self) -> list[Run]:
        """The runs, loaded one by one: in order of the folds, then of the seeds."""
        return [Run.open(self.folder / name) for name in self.summary["runs"]]

    @property
    def table(self) -> pl.DataFrame:
        """A row per test metric: mean, sd, low and high over the folds, and the mean of the most popular items."""
        popular = self.metrics["popularity"]
        rows = [{"metric": name, **by, "most_popular": popular[name]} for name, by in self.summary["test"].items()]
        return pl.DataFrame(rows)

    def by_fold(self, metric: str) -> pl.DataFrame:
        """A row per fold: test window, counts, the test metric, and that of the most popular items."""
        return pl.DataFrame(
            {
                **{name: fold[name] for name in ("fold", "test_from", "end", *COUNTS)},
                metric: fold["test"][metric],
                "most_popular": fold["popularity"][metric],
            }
            for fold in self.summary["folds"]
        )

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and (hasattr(Run, name) or name in Run.__annotations__):
            runs = [fold["runs"] for fold in self.summary["folds"]]
            raise RunError(f"{self.folder} {holding(runs)}")
        raise AttributeError(f"Folds has no attribute {name!r}")

    def __repr__(self) -> str:
        return f"Folds({str(self.folder)!r}, {len(self.summary['folds'])} folds)"

    def _repr_html_(self) -> str:
        return str(self.table._repr_html_())


def folds_page(title: str, folds: Folds, metric: str) -> str:
    """Markdown page with the test metrics over the folds, one of them by fold, and notes."""
    summary = folds.summary
    by_fold = folds.by_fold(metric)
    interval = f"{100 * summary['level']:g} % t interval over {len(summary['folds'])} folds"
    return "\n".join(
        [
            f"# {escaped(title)}",
            "",
            f"Test metrics over {len(summary['folds'])} rolling folds; low and high are the {interval}. "
            f"Each fold is a run in this folder.",
            "",
            *_table(folds.table, left=1),
            "",
            *_table(by_fold),
            "",
            f"- Note: {CAVEAT}.",
            "- Note: untested events are those of a test window whose user has no training event.",
            *(f"- {kind}: {escaped(text)}." for kind, text in _remarks(summary)),
            "",
        ]
    )


def _remarks(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Warnings of the folds, each once, with the numbers of its folds."""
    found: dict[str, list[str]] = {}
    for fold in summary["folds"]:
        for warning in fold["warnings"]:
            found.setdefault(warning, []).append(str(fold["fold"]))
    return [("Warning", f"fold {', '.join(numbers)}: {warning}") for warning, numbers in found.items()]


def _table(frame: pl.DataFrame, left: int = 0) -> list[str]:
    head = [name.replace("_", " ") for name in frame.columns]
    return table(head, [[_cell(cell) for cell in row] for row in frame.iter_rows()], left)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
