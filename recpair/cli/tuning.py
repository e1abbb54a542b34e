"""Command that searches hyperparameters."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from recpair.cli import completion
from recpair.cli.app import ConfigOption, OverridesArgument, app, numbers

if TYPE_CHECKING:
    from recpair.tuning.tune import Tuned


@app.command()
def tune(
    config: Annotated[
        list[Path],
        typer.Option(
            "--config",
            "-c",
            help="A YAML or TOML file, or the name of a config that ships with recpair; several are compared at equal budget.",
            autocompletion=completion.configs,
        ),
    ],
    overrides: OverridesArgument = None,
    trials: Annotated[int | None, typer.Option(help="Trials of each config. Default: tune.trials, else 40.")] = None,
    timeout: Annotated[str | None, typer.Option(help="Time after which no trial is started: 90s, 30m, 2h.")] = None,
    sampler: Annotated[Literal["tpe", "random", "grid"] | None, typer.Option(help="Default: tpe.")] = None,
    pruner: Annotated[Literal["median", "hyperband", "none"] | None, typer.Option(help="Default: median.")] = None,
    storage: Annotated[
        str | None, typer.Option(help="URL of an Optuna database; by default a journal in the output folder.")
    ] = None,
    n_seeds: Annotated[
        int | None,
        typer.Option("--n-seeds-at-end", "--n-seeds", help="Seeds of the winner; 0: nothing is tested. Default: 3."),
    ] = None,
    jobs: Annotated[int, typer.Option(help="Trials that run at the same time.")] = 1,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue an interrupted search, or add trials to a finished one.")
    ] = False,
) -> None:
    """Search hyperparameters on the validation part, then train and test the best ones with several seeds.

    The section tune of the config has metric, trials and space; without a space, that of the components is searched.
    The first trial is the config as it is. OUTPUT holds best.yaml, trials.csv, SUMMARY.md, plots and all runs.

    [bold]Examples[/]

      recpair tune --config my.yaml --trials 40

      recpair tune --config my.yaml --resume --trials 80      (40 more)

      recpair tune -c mf.yaml -c lightgcn.yaml --trials 30 output=runs/both

      recpair tune --config my.yaml "tune.space={train.learning_rate: {low: 1.0e-4, high: 1.0e-2, log: true}}"
    """
    from recpair.cli import console
    from recpair.experiment import loading
    from recpair.tuning.duration import duration

    seconds = None if timeout is None else duration(timeout, "timeout")
    for each in config:
        loading.check_keys(each, overrides or [])

    from recpair.tuning.tune import tune as search  # imports torch, numba and optuna: seconds

    with console.notes():
        tuned = search(
            config,
            overrides or [],
            trials=trials,
            sampler=sampler,
            pruner=pruner,
            n_seeds=n_seeds,
            timeout=seconds,
            jobs=jobs,
            storage=storage,
            resume=resume,
        )
    _print(tuned)


def _print(tuned: "Tuned") -> None:
    """Print the best trials, the test metrics, and what to do next."""
    import polars as pl

    from recpair.cli import console
    from recpair.run.folder import SUMMARY
    from recpair.tuning.folder import COMPARISON
    from recpair.tuning.report import best_trials

    console.frame_table("Best trials by validation metric", best_trials(tuned.trials, 5))
    best = tuned.best
    first = "" if best["first"] is None else f"; the config as it is: {best['first']:.4f}"
    console.console.print(f"best:        trial {best['trial']}, {best['value']:.4f}{first}")
    compared = tuned.folder / COMPARISON
    if compared.is_file():
        shown_columns = ["run", "seeds", "mean", "difference", "t_test_holm", "wilcoxon_holm"]
        console.frame_table("Test of the winners", pl.read_csv(compared, glob=False).select(shown_columns))
    elif tuned.test:
        columns = {kind: {name: by[kind] for name, by in tuned.test.items()} for kind in ("mean", "sd")}
        console.metric_table("Test metrics of the winner over its seeds", columns)
    console.console.print(f"output:      {tuned.folder}  ({SUMMARY}, trials.csv, plots/)")
    console.console.print(f"train it:    recpair fit --config {tuned.folder}/best.yaml")


@app.command()
def study(
    config: ConfigOption,
    overrides: OverridesArgument = None,
    methods: Annotated[
        str | None,
        typer.Option(
            "--methods",
            "-m",
            help="Names of denoisers, miners, losses, terms or models; section=name; 'label: section.key=value'; configs. "
            "Separated by commas; none is the config as it is.",
        ),
    ] = None,
    budget: Annotated[
        str | None, typer.Option(help="Time for everything, 60m or 2h; the number of trials follows from it.")
    ] = None,
    trials: Annotated[int | None, typer.Option(help="Trials of each method. Default: 12.")] = None,
    n_seeds: Annotated[int | None, typer.Option("--n-seeds", help="Seeds of each winner. Default: 3.")] = None,
    noise: Annotated[
        str | None, typer.Option(help="Shares of random events to add to the training part, as in 0,0.2.")
    ] = None,
    jobs: Annotated[int, typer.Option(help="Trials that run at the same time.")] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted study.")] = False,
) -> None:
    """Find out which method helps on your data: equal search budget for each, then seeds and paired tests.

    The baseline is the config as it is. OUTPUT holds report.html, report.md, results.csv, results.tex and all runs.
    The section study of the config has the same settings.

    [bold]Examples[/]

      recpair study --config my.yaml --methods none,pld,udt,dns --budget 60m

      recpair study --config my.yaml --methods pld,denoise=dcf,loss=bce --trials 12 --noise 0,0.2

      recpair study --config my.yaml --methods "none,weak: terms=[{name: l2, weight: 0.001}],other.yaml"
    """
    from recpair.cli import console
    from recpair.experiment import loading

    shares = None if noise is None else numbers("noise is", noise, float, "0,0.2")
    loading.check_keys(config, overrides or [])

    from recpair.tuning.methods import split_methods  # imports torch: seconds
    from recpair.tuning.study import study as compare

    with console.notes():
        studied = compare(
            config,
            overrides or [],
            methods=None if methods is None else split_methods(methods),
            noise=shares,
            trials=trials,
            budget=budget,
            n_seeds=n_seeds,
            jobs=jobs,
            resume=resume,
        )
    from recpair.tuning.study_report import shown_results

    console.frame_table("Test of each method's best trial", shown_results(studied.results))
    for sentence in studied.verdict:
        console.console.print(sentence)
    console.console.print(f"output:      {studied.folder}  (report.html, report.md, results.csv, results.tex)")
