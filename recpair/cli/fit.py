"""Command that trains."""

from typing import TYPE_CHECKING, Annotated

import typer

from recpair.cli.app import ConfigOption, OverridesArgument, app, numbers

if TYPE_CHECKING:
    from recpair.config import Config
    from recpair.run.run import Run


@app.command()
def fit(
    config: ConfigOption,
    overrides: OverridesArgument = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue from the last checkpoint in the output folder, if any.")
    ] = False,
    seeds: Annotated[
        str | None, typer.Option("--seeds", help="Train once per seed (1,2,3): mean ± sd, one MLflow parent run.")
    ] = None,
) -> None:
    """Train, evaluate, track and save one run.

    The config's sections are data, filter, split, noise, sampler, model, loss,
    denoise, hard_negatives, semantics, describe, terms, train, evaluate,
    tracking and output.
    A misspelt key stops the run before any data is read.

    An earlier run in the output folder can be loaded until the new one is complete, then it becomes OUTPUT.1
    (output_keep sets the number of earlier runs to keep).

    [bold]Examples[/]

      recpair fit --config configs/ml-100k/mf-bpr-pld.yaml

      recpair fit --config my.yaml train.epochs=30 denoise.temperature=0.2 output=runs/warmer

      recpair fit --config my.yaml denoise=null            (plain training)

      recpair fit --config my.yaml --resume                (after an interruption)

      recpair fit --config my.yaml --seeds 1,2,3,4,5

      recpair fit --config my.yaml "split={name: rolling, folds: 5, horizon: 7d}"   (five weeks, one after the other)
    """
    from recpair.cli import console
    from recpair.experiment import loading

    chosen = None if seeds is None else numbers("seeds are", seeds, int, "1,2,3")
    checked = loading.load_config(config, overrides or [])

    from recpair.experiment import (
        fit as fitting,  # imports torch and numba (seconds), so only after the config is checked
    )
    from recpair.experiment.fallback import with_available_data
    from recpair.experiment.folds import has_folds
    from recpair.experiment.seeds import fit_seeds

    with console.notes():
        checked = with_available_data(checked, config)
    with console.notes(), console.EpochBar(checked["train"]["epochs"], checked["evaluate"]["monitor"]) as bar:
        if chosen is not None:
            summary = fit_seeds(checked, chosen, resume=resume, log=bar)
        else:
            run = fitting.fit(checked, resume=resume, log=bar)
    if has_folds(checked):
        _print_folds(checked)
        return
    if chosen is None:
        _print_run(run, checked)
        return
    columns = {kind: {name: both[kind] for name, both in summary["test"].items()} for kind in ("mean", "sd")}
    console.metric_table(f"Test metrics over {len(summary['runs'])} seeds", columns)
    console.console.print(f"run folders: {checked['output']}/seed-…, together in seeds.json")


def _print_run(run: "Run", config: "Config") -> None:
    """Print the test metrics of a run, and how to use it."""
    from recpair.cli import console
    from recpair.experiment.titles import title
    from recpair.experiment.track import tracking_page

    metrics = run.metrics
    columns = {"this model": metrics["test"], "most popular": metrics["popularity"]}
    console.metric_table(f"Test metrics: {title(config, metrics['data']['name'])}", columns)
    console.console.print(console.training_line(metrics, config["evaluate"]["monitor"]))
    console.console.print(f"run folder:  {run.folder}  (SUMMARY.md, plots/)")
    console.console.print(f"recommend:   recpair recommend {run.folder} --all --k 20 --out recs.csv")
    if metrics["mlflow_run_id"]:
        shown = "\n             ".join(tracking_page(config))
        console.console.print(f"MLflow:      {shown}   (run {metrics['mlflow_run_id']})", markup=False)


def _print_folds(config: "Config") -> None:
    """Print the test metrics over the folds, and one of them by fold."""
    from recpair.cli import console
    from recpair.experiment.folds import main_metric
    from recpair.run.folds import CAVEAT, Folds

    folds = Folds.open(config["output"])
    metric = main_metric(config, folds)
    number, level = len(folds.summary["folds"]), f"{100 * folds.summary['level']:g} % t interval"
    named = {"fold": "fold", "test_from": "test from", "test_users": "users", "test_events": "events"}
    named |= {"untested_events": "untested", metric: metric, "most_popular": "most popular"}
    console.frame_table(f"Test {metric} by fold", folds.by_fold(metric).select(*named).rename(named))
    console.frame_table(f"Test metrics over {number} folds; low … high: {level} over the folds", folds.table)
    console.console.print(f"{CAVEAT}.")
    console.console.print(f"run folders: {config['output']}/fold-…, together in folds.json and SUMMARY.md")


app.command("train", hidden=True, help="The same as fit.")(fit)
