"""Results of a search: table, best config, plots and a page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from recpair import files
from recpair.config import Config
from recpair.experiment.compare import comparison, draw
from recpair.markdown import escaped, table
from recpair.run.folder import PLOTS, SEARCH, SUMMARY
from recpair.run.manifest import read_json
from recpair.tuning.ask import importances
from recpair.tuning.folder import BEST, COMPARISON, TABLE, WINNER
from recpair.tuning.plan import value_at
from recpair.tuning.search import Search
from recpair.tuning.space import described, label, values_of
from recpair.tuning.trial import name_of

SHOWN = 10  # trials in the summary
NOTES = ("best_epoch", "seconds", "run", "error")


def trials_frame(search: Search) -> pl.DataFrame:
    """Return one row per trial: trial, state, value, epochs, best_epoch, seconds, run, error, and the config keys."""
    rows = []
    for trial in search.finished:
        notes = trial.user_attrs
        head = {"trial": trial.number, "state": trial.state.name.lower(), "value": trial.value}
        rest = {key: notes.get(key) for key in ("epochs", "best_epoch", "seconds")}
        rows.append(head | rest | {"run": name_of(trial.number), "error": notes.get("error")} | _values(search, trial))
    return pl.DataFrame(rows, infer_schema_length=None)


def best_trials(frame: pl.DataFrame, n: int) -> pl.DataFrame:
    """Return the n best trials, with the values of all keys in one column."""
    top = frame.sort("value", descending=True, nulls_last=True).head(n)
    head = [name for name in ("search", "trial", "state", "value", "epochs") if name in top.columns]
    keys = [name for name in top.columns if name not in (*head, *NOTES)]
    values = [
        described({key: row[key] for key in keys if top[key].null_count() < len(top)})
        for row in top.iter_rows(named=True)
    ]
    return top.select(*head, pl.col("seconds").round(1).cast(pl.String)).with_columns(pl.Series("values", values))


def write_search(name: str, search: Search, best: Config, summary: Mapping[str, Any]) -> dict[str, Any]:
    """Write ``trials.csv``, ``best.yaml``, the plots, ``SUMMARY.md`` and ``search.json``; return the record of the search.

    Args:
        summary: content of the winner's ``seeds.json``; empty if it was not tested.
    """
    from recpair.figures import write_figure  # imports matplotlib
    from recpair.tuning import plots

    folder, plan, frame = search.output.work, search.plan, trials_frame(search)
    files.write(folder / TABLE, lambda partial: frame.write_csv(partial))
    files.write_text(folder / BEST, best.to_yaml())
    shares = importances(plan, search.finished)
    figures = {"trials": plots.progress(frame, plan.metric)}
    if plan.space:
        figures["values"] = plots.values(frame, plan.space, plan.metric)
    if shares:
        figures["importances"] = plots.shares(shares)
    for each, figure in figures.items():
        write_figure(folder / PLOTS / f"{each}.png", figure)
    record = read_json(folder / SEARCH)["searches"][name] | _record(search, summary) | {"importances": shares}
    files.write_text(folder / SUMMARY, _summary(name, search, frame, record, list(figures)))
    files.write_json(folder / SEARCH, read_json(folder / SEARCH) | {"searches": {name: record}})
    return dict(record)


def final_values(record: Mapping[str, Any]) -> dict[str, float]:
    """Return the metrics of a search's tracked run."""
    test = {f"test/{name}_{kind}": value for name, by in record["test"].items() for kind, value in by.items()}
    return {f"valid/{record['metric']}": record["best"]["value"], "trials": record["finished"]} | test


def compare_winners(folder: Path, records: Mapping[str, Mapping[str, Any]]) -> pl.DataFrame | None:
    """Compare the winners of several searches by paired tests over users, and draw them; None if they are not tested."""
    if not all(record["test"] for record in records.values()):
        return None
    metric = next(iter(records.values()))["metric"]
    compared = comparison([folder / name / WINNER for name in records], metric)
    draw(compared, folder / PLOTS / "comparison.png")
    named = compared.table.with_columns(pl.Series("run", list(records)))
    files.write(folder / COMPARISON, lambda partial: named.write_csv(partial))
    return named


def write_overview(folder: Path, records: Mapping[str, Any], compared: pl.DataFrame | None) -> None:
    """Write the page, the table and the best config of several searches."""
    frames = [pl.read_csv(folder / name / TABLE, infer_schema_length=None, glob=False) for name in records]
    named = [
        frame.with_columns(pl.lit(name).alias("search"), (pl.lit(f"{name}/") + pl.col("run")).alias("run"))
        for name, frame in zip(records, frames, strict=True)
    ]
    table = pl.concat(named, how="diagonal_relaxed")
    files.write(folder / TABLE, lambda partial: table.select("search", pl.exclude("search")).write_csv(partial))
    best = max(records, key=lambda name: records[name]["best"]["value"])
    files.write_text(folder / BEST, (folder / best / BEST).read_text(encoding="utf-8"))
    files.write_json(folder / SEARCH, read_json(folder / SEARCH) | {"searches": dict(records)})
    metric = records[best]["metric"]
    head = ["config", "trials", "seconds", f"validation {metric}, as it is", "best"]
    rows = [
        [name, record["finished"], f"{record['seconds']:.0f}", record["best"]["first"], record["best"]["value"]]
        for name, record in records.items()
    ]
    lines = [f"# Search of {len(records)} configs", "", *markdown(head, rows), ""]
    if compared is not None:
        columns = ["run", "seeds", "mean", "low", "high", "difference", "t_test_holm", "wilcoxon_holm"]
        lines += [f"Test {metric} of the winners; differences and tests are against {escaped(compared['run'][0])}:", ""]
        lines += [*markdown(columns, compared.select(columns).rows()), "", f"![comparison]({PLOTS}/comparison.png)", ""]
    lines += [f"The best validation {metric} is that of {escaped(best)}; its config is `{BEST}`.", ""]
    files.write_text(folder / SUMMARY, "\n".join(lines))


def markdown(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """Return a Markdown table: text as it is, numbers with four decimals."""
    return table([escaped(name) for name in head], [[_cell(value) for value in row] for row in rows], left=len(head))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.1e}" if 0 < abs(value) < 1e-3 else f"{value:.4f}"
    return escaped(str(value))


def _values(search: Search, trial: Any) -> dict[str, Any]:
    """Return the value of each key of the space in a trial, lists and mappings as JSON."""
    plan = search.plan
    own = {key: value_at(plan.config, key) for key in plan.space}
    values = values_of(plan.space, trial.params) if trial.number else own
    return {key: label(value) for key, value in values.items()}


def _record(search: Search, summary: Mapping[str, Any]) -> dict[str, Any]:
    best, finished = search.best, search.finished
    values = values_of(search.plan.space, best.params) if best.number else {}
    return {
        "finished": len(finished),
        "pruned": sum(trial.state.name == "PRUNED" for trial in finished),
        "failed": sum(trial.state.name == "FAIL" for trial in finished),
        "seconds": round(sum(trial.user_attrs.get("seconds", 0.0) for trial in finished), 1),
        "best": {"trial": best.number, "value": best.value, "first": finished[0].value, "values": values},
        "test": dict(summary.get("test", {})),
        "runs": [f"{WINNER}/{run}" for run in summary.get("runs", [])],
    }


def _summary(name: str, search: Search, frame: pl.DataFrame, record: Mapping[str, Any], figures: Sequence[str]) -> str:
    plan, best = search.plan, record["best"]
    counts = f"{record['finished']} trials ({record['pruned']} pruned, {record['failed']} failed)"
    lines = [
        f"# Search: {escaped(name)} on {escaped(search.parts[0].prepared.splits.name)}",
        "",
        f"{counts} in {record['seconds']:.0f} s, sampler {plan.sampler}, pruner {plan.pruner}, seed {plan.seed}. "
        f"Trials are compared by validation {plan.metric}; they do not read the test part.",
        "",
        f"Best: trial {best['trial']} with {best['value']:.4f}; the config as it is has "
        f"{_cell(best['first'])}. {escaped(described(best['values']))}",
        "",
    ]
    if record["test"]:
        rows = [[metric, by["mean"], by["sd"]] for metric, by in record["test"].items()]
        seeds = len(record["runs"])
        note = f"Test metrics of the winner over {seeds} seed{'s' if seeds > 1 else ''}; the test part was read only for these:"
        lines += [note, "", *markdown(["metric", "mean", "sd"], rows), ""]
    top = best_trials(frame, SHOWN)
    lines += [f"The {len(top)} best trials (all: `{TABLE}`):", "", *markdown(top.columns, top.rows()), ""]
    lines += [f"`recpair fit --config {BEST}` trains the best config.", ""]
    return "\n".join([*lines, *(f"![{each}]({PLOTS}/{each}.png)" for each in figures), ""])
