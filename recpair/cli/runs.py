"""Commands that use finished runs."""

from pathlib import Path
from typing import Annotated

import typer

from recpair.cli import completion
from recpair.cli.app import OverridesArgument, PluginsOption, RunArgument, app

SHOWN = ["run", "seeds", "mean", "low", "high", "difference", "t_test_holm", "wilcoxon_holm"]


@app.command()
def evaluate(run: RunArgument, overrides: OverridesArgument = None, plugins: PluginsOption = None) -> None:
    r"""Evaluate a run on its test data again, optionally with other metrics or cut-offs; the run folder is not changed.

    Reads the data set of the run's config, and fails if it differs from the data that the run was trained on.

    [bold]Example[/]

      recpair evaluate runs/ml-100k-mf-bpr-pld evaluate.metrics=\[recall,ndcg,map] evaluate.cutoffs=[5,100]
    """
    from recpair.cli import console
    from recpair.experiment import evaluate as evaluating
    from recpair.experiment.load import load

    with console.notes():
        model, floor = evaluating.evaluate(load(run, plugins=plugins or []), overrides or [])
    columns = {"this model": model.means, "most popular": floor.means}
    console.metric_table(f"Test metrics: {run}, {model.n_users:,} users", columns)


@app.command()
def compare(
    run_folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN RUN...", help="Run folders; the first is the baseline.", autocompletion=completion.runs
        ),
    ],
    metric: Annotated[str, typer.Option("--metric", "-m", help="A metric with per-user values.")] = "ndcg@10",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Also write the table: .csv, .parquet or .jsonl.")
    ] = None,
    plot: Annotated[Path | None, typer.Option("--plot", help="Also draw a plot: .png, .pdf or .svg.")] = None,
) -> None:
    """Compare runs on the same test set: means, bootstrap intervals over users, paired tests with Holm's correction.

    A folder written by fit --seeds counts as one run: each user's value is averaged over the seeds. So does a folder of
    rolling folds: users are paired in each fold, folds count equally, and all folds of a user are one unit of the tests.

    [bold]Example[/]

      recpair compare runs/plain runs/pld --metric ndcg@20 --out table.csv --plot plot.png
    """
    from recpair.cli import console
    from recpair.experiment import compare as comparing
    from recpair.run import batch

    if out is not None:
        batch.check_output(out)
    if plot is not None:
        comparing.check_plot(plot)
    compared = comparing.comparison(run_folders, metric)
    table = compared.table
    folds = f" over {table['folds'][0]} folds" if table["folds"][0] > 1 else ""
    console.frame_table(
        f"Test {metric}{folds}; differences and tests are against {table['run'][0]}", table.select(SHOWN)
    )
    if out is not None:
        batch.write_table(out, table)
    if plot is not None:
        comparing.draw(compared, plot)


@app.command()
def audit(
    run: RunArgument,
    out: Annotated[Path, typer.Option("--out", "-o", help="Output file: .csv, .parquet or .jsonl.")],
    top: Annotated[int | None, typer.Option("--top", min=1, help="Write only the N most suspicious events.")] = None,
    plugins: PluginsOption = None,
) -> None:
    """Write a table of likely noisy training events, the most suspicious first.

    Compares the loss of each event with the losses of the same user's other events.
    If noise was injected, also prints how well it is detected.

    [bold]Example[/]

      recpair audit runs/ml-100k-mf-bpr-pld --top 1000 --out suspicious.csv
    """
    from recpair.cli import console
    from recpair.experiment.load import load
    from recpair.run import batch

    batch.check_output(out)
    loaded = load(run, plugins=plugins or [])
    frame = loaded.audit() if top is None else loaded.audit().head(top)
    batch.write_table(out, frame)
    console.console.print(f"{len(frame):,} of {len(loaded.recommender.train):,} training events in {out}")
    if (found := loaded.audit_quality()) is not None:
        for row in found.iter_rows(named=True):
            shown = [(name, f"{value:.4f}") for name, value in row.items() if name not in ("users", "events")]
            console.pair_table(f"injected noise found, users: {row['users']} ({row['events']:,} events)", shown)


@app.command()
def track(
    run: RunArgument,
    uri: Annotated[
        str | None, typer.Option(help="URI of the MLflow store; by default that of the run's config.")
    ] = None,
    plugins: PluginsOption = None,
) -> None:
    """Upload a finished run to MLflow, for example if the server was unavailable during training.

    [bold]Example[/]

      recpair track runs/ml-100k-mf-bpr-pld --uri http://tracking.example:5000
    """
    from recpair.cli import console
    from recpair.experiment import track as tracking
    from recpair.experiment.load import load

    with console.notes():
        run_id = tracking.track(load(run, plugins=plugins or []), uri=uri)
    if run_id is None:
        raise typer.Exit(2)
    console.console.print(f"tracked as MLflow run {run_id}")
