"""The command line's application, and its verbs for runs."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from recpair import __version__
from recpair.cli import completion
from recpair.errors import shown

app = typer.Typer(
    help="Train, evaluate and use recommenders from noisy implicit feedback.",
    epilog="Every verb takes --debug, which shows the traceback of an error. Start with: recpair fit --help",
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
        help="Overrides, values typed as YAML: train.epochs=30",
        autocompletion=completion.keys,
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
    """What comes before a verb."""


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
        bool, typer.Option("--resume", help="Go on from the output folder's last checkpoint, if there is one.")
    ] = False,
    seeds: Annotated[
        str | None, typer.Option("--seeds", help="Train once per seed, 1,2,3: mean ± sd, one MLflow parent run.")
    ] = None,
) -> None:
    """Train, evaluate, track and save one run.

    The config's sections are data, filter, split, noise, sampler, model, loss,
    denoise, hard_negatives, semantics, describe, terms, train, evaluate,
    tracking and output.
    A misspelt key stops the run before any data is read.

    An earlier run in the output folder stays loadable until the new one is complete; then it becomes OUTPUT.1
    (output_keep says how many earlier runs are kept).

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

    from recpair import experiment, runs  # import torch and numba: seconds, after a mistake in the config is reported

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
def evaluate(run: RunArgument, overrides: OverridesArgument = None) -> None:
    r"""Test a run again, with other metrics or cut-offs if you like; the run folder stays as it is.

    Reads the data set of the run's config, and refuses if it is no longer what the run was trained on.

    [bold]Example[/]

      recpair evaluate runs/ml-100k-mf-bpr-pld evaluate.metrics=\[recall,ndcg,map] evaluate.cutoffs=[5,100]
    """
    from recpair import console, runs

    with console.notes():
        model, floor = runs.evaluate(runs.load(run), overrides or [])
    columns = {"this model": model.means, "most popular": floor.means}
    console.metric_table(f"Test metrics: {run}, {model.n_users:,} users", columns)


@app.command()
def recommend(
    run: RunArgument,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where to write: .csv, .parquet or .jsonl.")],
    users: Annotated[
        Path | None,
        typer.Option(
            "--users",
            help="A table with a column user_id, or named as in the run's own data, or a .txt file with one id a line.",
        ),
    ] = None,
    everyone: Annotated[bool, typer.Option("--all", help="Every user with a training event.")] = False,
    k: Annotated[int, typer.Option("--k", "-k", help="Items per user.")] = 10,
    include_seen: Annotated[bool, typer.Option("--include-seen", help="Also rank what a user already took.")] = False,
    titles: Annotated[
        bool,
        typer.Option(
            "--titles",
            help="Add the columns of the item table. In a .csv, lists are joined with | and other nested values are JSON.",
        ),
    ] = False,
    on_unknown: Annotated[
        OnUnknown,
        typer.Option(
            help="For a user without a training event: an error, no rows, or the most popular items, "
            "marked in a further column fallback."
        ),
    ] = "raise",
) -> None:
    """Write the k best items of each user: user_id, item_id, score, rank.

    Needs no data set. Ids are your own; items that the user took in training are left out.

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
    loaded = runs.load(run)
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
            metavar="RUN RUN...", help="Run folders; the first is the base.", autocompletion=completion.runs
        ),
    ],
    metric: Annotated[str, typer.Option("--metric", "-m", help="A metric that is kept per user.")] = "ndcg@10",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Also write the table: .csv, .parquet or .jsonl.")
    ] = None,
    plot: Annotated[Path | None, typer.Option("--plot", help="Also draw it: .png, .pdf or .svg.")] = None,
) -> None:
    """Compare runs on the same test: means, bootstrap intervals over users, paired tests with Holm's correction.

    A folder made by fit --seeds counts as one run, each user's value averaged over its seeds.

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
    out: Annotated[Path, typer.Option("--out", "-o", help="Where to write: .csv, .parquet or .jsonl.")],
    top: Annotated[int | None, typer.Option("--top", min=1, help="Only the so many most suspicious events.")] = None,
) -> None:
    """Write which training events look wrong, for whom, and how sure: the most suspicious first.

    Compares the loss of each event with the user's own other events.
    Where noise was injected, also prints how well it is found.

    [bold]Example[/]

      recpair audit runs/ml-100k-mf-bpr-pld --top 1000 --out suspicious.csv
    """
    from recpair import console, runs
    from recpair.serving import batch

    batch.check_output(out)
    loaded = runs.load(run)
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
    uri: Annotated[str | None, typer.Option(help="Of the MLflow store; by default that of the run's config.")] = None,
) -> None:
    """Upload a finished run to MLflow, when the server was away while it trained.

    [bold]Example[/]

      recpair track runs/ml-100k-mf-bpr-pld --uri http://tracking.example:5000
    """
    from recpair import console, runs

    with console.notes():
        run_id = runs.track(runs.load(run), uri=uri)
    if run_id is None:
        raise typer.Exit(2)
    console.console.print(f"tracked as MLflow run {run_id}")


@app.command()
def export(
    run: RunArgument,
    out: Annotated[Path, typer.Option("--out", "-o", help="An empty or new folder, which names the data set.")],
    format: Annotated[Literal["recbole"], typer.Option("--format", help="Whose files.")] = "recbole",
) -> None:
    """Write a run's data as RecBole's atomic files: NAME.train.inter, NAME.valid.inter, NAME.test.inter, NAME.item.

    RecBole reads them with data_path: the folder above, dataset: NAME, benchmark_filename: [train, valid, test].
    Where the run's data set can no longer be read, NAME.inter holds what was trained on.

    [bold]Example[/]

      recpair export runs/ml-100k-mf-bpr --format recbole --out recbole/ml-100k-split
    """
    from recpair import console, runs

    with console.notes():
        paths = runs.export(runs.load(run), out)
    for path in paths:
        console.console.print(f"{path}")


@app.command()
def doctor() -> None:
    """Print versions, devices, thread settings, and what is missing for which feature."""
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
