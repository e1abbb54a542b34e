"""The Typer application and the commands for runs."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from recpair import __version__
from recpair.cli import completion
from recpair.errors import shown

app = typer.Typer(
    help="Train, evaluate and use recommenders from noisy implicit feedback.",
    epilog="Every command accepts --debug, which shows the traceback of an error. Start with: recpair fit --help",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)

SHOWN = ["run", "seeds", "mean", "low", "high", "difference", "t_test_holm", "wilcoxon_holm"]
OnUnknown = Literal["raise", "skip", "popular"]

RunArgument = Annotated[
    str, typer.Argument(metavar="RUN", help="A run folder, or an MLflow run id.", autocompletion=completion.runs)
]
OverridesArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SECTION.KEY=VALUE",
        help="Config overrides with YAML values: train.epochs=30",
        autocompletion=completion.keys,
    ),
]


PluginsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--plugins",
        metavar="MODULE",
        help="A module of components from outside recpair that the run uses; may be repeated.",
    ),
]


def _show_version(asked: bool) -> None:
    if asked:
        print(f"recpair {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """Options before the command."""


@app.command()
def fit(
    config: Annotated[
        Path,
        typer.Option(
            "--config",
            "-c",
            help="A YAML or TOML file, or the name of a config that ships with recpair.",
            autocompletion=completion.configs,
        ),
    ],
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
    """
    from recpair import console, schema

    numbers = None if seeds is None else _numbers(seeds)
    checked = schema.load_config(config, overrides or [])

    from recpair import experiment, runs  # imports torch and numba (seconds), so only after the config is checked

    with console.notes(), console.EpochBar(checked["train"]["epochs"], checked["evaluate"]["monitor"]) as bar:
        if numbers is not None:
            summary = runs.fit_seeds(checked, numbers, resume=resume, log=bar)
        else:
            run = experiment.fit(checked, resume=resume, log=bar)
    if numbers is not None:
        columns = {kind: {name: both[kind] for name, both in summary["test"].items()} for kind in ("mean", "sd")}
        console.metric_table(f"Test metrics over {len(summary['runs'])} seeds", columns)
        console.console.print(f"run folders: {checked['output']}/seed-…, together in seeds.json")
        return
    metrics = run.metrics
    columns = {"this model": metrics["test"], "most popular": metrics["popularity"]}
    console.metric_table(f"Test metrics: {schema.title(checked, metrics['data']['name'])}", columns)
    console.console.print(console.training_line(metrics, checked["evaluate"]["monitor"]))
    console.console.print(f"run folder:  {run.folder}  (SUMMARY.md, plots/)")
    console.console.print(f"recommend:   recpair recommend {run.folder} --all --k 20 --out recs.csv")
    if metrics["mlflow_run_id"]:
        shown = "\n             ".join(runs.tracking_page(checked))
        console.console.print(f"MLflow:      {shown}   (run {metrics['mlflow_run_id']})", markup=False)


@app.command()
def evaluate(run: RunArgument, overrides: OverridesArgument = None, plugins: PluginsOption = None) -> None:
    r"""Evaluate a run on its test data again, optionally with other metrics or cut-offs; the run folder is not changed.

    Reads the data set of the run's config, and fails if it differs from the data that the run was trained on.

    [bold]Example[/]

      recpair evaluate runs/ml-100k-mf-bpr-pld evaluate.metrics=\[recall,ndcg,map] evaluate.cutoffs=[5,100]
    """
    from recpair import console, runs

    with console.notes():
        model, floor = runs.evaluate(runs.load(run, plugins=plugins or []), overrides or [])
    columns = {"this model": model.means, "most popular": floor.means}
    console.metric_table(f"Test metrics: {run}, {model.n_users:,} users", columns)


@app.command()
def recommend(
    run: RunArgument,
    out: Annotated[Path, typer.Option("--out", "-o", help="Output file: .csv, .parquet or .jsonl.")],
    users: Annotated[
        Path | None,
        typer.Option(
            "--users",
            help="A table with the column user_id or the user column of the run's data, or a .txt file with one id per line.",
        ),
    ] = None,
    everyone: Annotated[bool, typer.Option("--all", help="Recommend for every user with a training event.")] = False,
    k: Annotated[int, typer.Option("--k", "-k", help="Items per user.")] = 10,
    include_seen: Annotated[bool, typer.Option("--include-seen", help="Also rank items seen in training.")] = False,
    titles: Annotated[
        bool,
        typer.Option(
            "--titles",
            help="Add the columns of the item table. In a .csv, lists are joined with |, other nested values are JSON.",
        ),
    ] = False,
    on_unknown: Annotated[
        OnUnknown,
        typer.Option(
            help="For users without training events: raise an error, skip them, or return the most popular items, "
            "marked in the column fallback."
        ),
    ] = "raise",
    plugins: PluginsOption = None,
) -> None:
    """Write the k best items of each user: user_id, item_id, score, rank.

    Does not read the data set. Ids are those of your data; items seen in training are excluded.

    [bold]Examples[/]

      recpair recommend runs/ml-100k-mf-bpr-pld --all --k 20 --out recs.parquet

      recpair recommend runs/ml-100k-mf-bpr-pld --users users.csv --on-unknown popular --out recs.csv
    """
    from recpair import console, runs
    from recpair.serving import batch

    if (users is None) == (not everyone):
        raise typer.BadParameter("give either --users FILE or --all")
    if users is not None and users.resolve() == out.resolve():
        raise typer.BadParameter("--out would overwrite the file of --users; give another name")
    batch.check_output(out)
    loaded = runs.load(run, plugins=plugins or [])
    with console.notes():
        frame = loaded.recommend(
            None if users is None else batch.read_users(users, loaded.id_columns("user")),
            k=k,
            exclude_seen=not include_seen,
            on_unknown=on_unknown,
            titles=titles,
        )
        batch.write_table(out, frame)
    console.console.print(f"{len(frame):,} recommendations for {frame['user_id'].n_unique():,} users in {out}")


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

    A folder written by fit --seeds counts as one run: each user's value is averaged over the seeds.

    [bold]Example[/]

      recpair compare runs/plain runs/pld --metric ndcg@20 --out table.csv --plot plot.png
    """
    from recpair import console
    from recpair.report import compare as comparing
    from recpair.serving import batch

    if out is not None:
        batch.check_output(out)
    if plot is not None:
        comparing.check_plot(plot)
    compared = comparing.comparison(run_folders, metric)
    table = compared.table
    console.frame_table(f"Test {metric}; differences and tests are against {table['run'][0]}", table.select(SHOWN))
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
    from recpair import console, runs
    from recpair.serving import batch

    batch.check_output(out)
    loaded = runs.load(run, plugins=plugins or [])
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
    from recpair import console, runs

    with console.notes():
        run_id = runs.track(runs.load(run, plugins=plugins or []), uri=uri)
    if run_id is None:
        raise typer.Exit(2)
    console.console.print(f"tracked as MLflow run {run_id}")


@app.command()
def export(
    run: RunArgument,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="An empty or new folder; its name is the name of the data set.")
    ],
    format: Annotated[Literal["recbole"], typer.Option("--format", help="File format.")] = "recbole",
    plugins: PluginsOption = None,
) -> None:
    """Write a run's data as RecBole's atomic files: NAME.train.inter, NAME.valid.inter, NAME.test.inter, NAME.item.

    RecBole reads them with data_path: the folder above, dataset: NAME, benchmark_filename: [train, valid, test].
    If the run's data set can no longer be read, NAME.inter holds the training events.

    [bold]Example[/]

      recpair export runs/ml-100k-mf-bpr --format recbole --out recbole/ml-100k-split
    """
    from recpair import console, runs

    with console.notes():
        paths = runs.export(runs.load(run, plugins=plugins or []), out)
    for path in paths:
        console.console.print(f"{path}")


@app.command()
def doctor() -> None:
    """Print versions, devices, thread settings, and the missing packages of optional features."""
    from recpair import console
    from recpair.report import doctor as checks

    for title, rows in checks.findings().items():
        console.pair_table(title, rows)


app.command("train", hidden=True, help="The same as fit.")(fit)


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise typer.BadParameter(f"seeds are {shown(text)}; expected numbers such as 1,2,3") from None
