"""Report of a study: results, groups of users, a verdict in words, and pages."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from recpair import files
from recpair.comparison.results import Results
from recpair.evaluation.activity import activity_edges
from recpair.experiment.compare import comparison
from recpair.run.folder import PLOTS, SEARCH, RunFolder
from recpair.tuning.folder import WINNER
from recpair.tuning.pages import write_pages
from recpair.tuning.parts import Part
from recpair.tuning.verdict import verdict

RESULTS, GROUPS = "results.csv", "groups.csv"
N_GROUPS = 4
Labelled = tuple[str, float, str]  # label, noise and folder of an arm


def write_study(
    folder: Path, arms: Sequence[Labelled], ready: Mapping[str, Sequence[Part]], record: Mapping[str, Any]
) -> None:
    """Write ``results.csv``, ``groups.csv``, the plots, the pages, and the verdict into ``search.json``."""
    from recpair.figures import write_figure  # imports matplotlib
    from recpair.tuning import study_plots

    metric = next(iter(record["searches"].values()))["metric"]
    results = results_frame(folder, arms, record, metric)
    groups = groups_frame(folder, arms, ready, metric)
    files.write(folder / RESULTS, lambda partial: results.write_csv(partial))
    files.write(folder / GROUPS, lambda partial: groups.write_csv(partial))
    figures = {
        "differences": study_plots.differences(results, metric),
        "by_activity": study_plots.by_group(groups.filter(pl.col("by") == "activity"), metric),
        "by_popularity": study_plots.by_group(groups.filter(pl.col("by") == "popularity"), metric),
    }
    if results["noise"].n_unique() > 1:
        figures["by_noise"] = study_plots.by_noise(results, metric)
    for name, figure in figures.items():
        write_figure(folder / PLOTS / f"{name}.png", figure)
    said = verdict(results, metric)
    data = next(iter(ready.values()))[0].prepared.splits.name
    write_pages(folder, data, metric, said, results, groups, {name: f"{PLOTS}/{name}.png" for name in figures}, record)
    files.write_json(folder / SEARCH, dict(record) | {"verdict": said})


def results_frame(folder: Path, arms: Sequence[Labelled], record: Mapping[str, Any], metric: str) -> pl.DataFrame:
    """Return one row per method and noise level.

    Columns: noise, method, trials, validation (best trial), seeds, test, seed_sd, difference, difference_low,
    difference_high, relative (difference in units of the baseline), t_test_holm, wilcoxon_holm, epoch_s (of the winner),
    search_s, and the values of the best trial.
    """
    frames = []
    for noise in dict.fromkeys(noise for _, noise, _ in arms):
        own = [(label, name) for label, level, name in arms if level == noise]
        table = comparison([folder / name / WINNER for _, name in own], metric).table
        searches = [record["searches"][name] for _, name in own]
        base = table["mean"][0]
        frames.append(
            table.select(
                pl.lit(noise).alias("noise"),
                pl.Series("method", [label for label, _ in own]),
                pl.Series("trials", [search["finished"] for search in searches]),
                pl.Series("validation", [search["best"]["value"] for search in searches]),
                "seeds",
                pl.col("mean").alias("test"),
                pl.col("seed_sd").cast(pl.Float64),
                "difference",
                "difference_low",
                "difference_high",
                (pl.col("difference") / base).alias("relative"),
                pl.col("t_test_holm").cast(pl.Float64),
                pl.col("wilcoxon_holm").cast(pl.Float64),
                pl.Series(
                    "epoch_s", [_epoch_seconds(folder / name, s) for (_, name), s in zip(own, searches, strict=True)]
                ),
                pl.Series("search_s", [search["seconds"] for search in searches]),
                pl.Series("values", [_values(search["best"]["values"]) for search in searches]),
            )
        )
    return pl.concat(frames)


def groups_frame(
    folder: Path, arms: Sequence[Labelled], ready: Mapping[str, Sequence[Part]], metric: str
) -> pl.DataFrame:
    """Return the mean test metric in groups of users of nearly equal size.

    Columns: by (activity: training events of the user; popularity: mean number of training events of the user's test
    items), noise, method, group (from 0), low, high (of the activity or popularity), users, mean.
    """
    rows = []
    for label, noise, name in arms:
        results = Results.of(folder / name / WINNER)
        fold = np.zeros(len(results.per_user), dtype=np.int64) if results.fold is None else results.fold
        frame = results.per_user.with_columns(pl.Series("fold", fold.astype(np.int64)))
        popularity = pl.concat([_popularity(part, number) for number, part in enumerate(ready[name])])
        joined = frame.join(popularity, on=["fold", "user_id"], how="left", maintain_order="left")
        for by, column in (("activity", "train_events"), ("popularity", "popularity")):
            values = joined[column].to_numpy()
            edges = activity_edges(values.astype(np.int64), N_GROUPS)
            group = np.searchsorted(edges, values.astype(np.int64), side="left")
            for g in range(len(edges) + 1):
                own = values[group == g]
                mean = float(joined[metric].to_numpy()[group == g].mean())
                rows.append([by, noise, label, g, float(own.min()), float(own.max()), len(own), mean])
    columns = ["by", "noise", "method", "group", "low", "high", "users", "mean"]
    return pl.DataFrame(rows, schema=columns, orient="row")


def _popularity(part: Part, fold: int) -> pl.DataFrame:
    """Return the mean number of training events of the test items of each user: fold, user_id, popularity."""
    splits = part.prepared.splits
    users = splits.train.vocabulary.users.of(splits.test.user)
    counts = splits.train.item_counts[splits.test.item].astype(np.float64)
    frame = pl.DataFrame([users.alias("user_id"), pl.Series("popularity", counts)])
    return frame.group_by("user_id").agg(pl.col("popularity").mean()).with_columns(pl.lit(fold, pl.Int64).alias("fold"))


def shown_results(results: pl.DataFrame) -> pl.DataFrame:
    """Return the columns of the results that fit a terminal."""
    columns = ["method", "validation", "test", "difference", "t_test_holm", "wilcoxon_holm", "epoch_s"]
    return results.select(*(["noise"] if results["noise"].n_unique() > 1 else []), *columns)


def _epoch_seconds(folder: Path, search: Mapping[str, Any]) -> float:
    """Return the mean seconds per epoch of a winner; 0 for models without epochs."""
    return float(np.mean([RunFolder.open(folder / run).metrics()["timing"]["epoch_s"] for run in search["runs"]]))


def _values(values: Mapping[str, Any]) -> str:
    from recpair.tuning.space import described

    return described(values) if values else "values of the config, defaults of the method"
