"""Command that trains a run again on new data."""

from pathlib import Path
from typing import Annotated

import typer

from recpair.cli.app import OverridesArgument, PluginsOption, RunArgument, app

NOT_PROMOTED = 3  # exit code


@app.command()
def refit(
    run: RunArgument,
    overrides: OverridesArgument = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The run folder to write; by default RUN-refit.")
    ] = None,
    metric: Annotated[
        str | None, typer.Option("--metric", "-m", help="Test metric of the comparison; by default evaluate.monitor.")
    ] = None,
    margin: Annotated[
        float,
        typer.Option(min=0, help="Tolerated loss, as a share of the earlier run's mean; with 0, it must be better."),
    ] = 0.05,
    cold: Annotated[bool, typer.Option("--cold", help="Do not start from the earlier weights.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted refit.")] = False,
    plugins: PluginsOption = None,
) -> None:
    """Train on new data with the settings of RUN, compare with RUN on the new test part, and say whether to promote.

    The exit code is 0 to promote, 3 not to promote, and 2 after an error. RUN is not changed.

    The new run is promoted if the lower bound of the 95 % interval of the difference of the test metric is above
    -margin times the mean of RUN, over the test users that both runs know. Test events among the training events of
    RUN are left out.

    [bold]Example[/]

      recpair refit runs/live data.path=events-2024-06.csv --out runs/next
    """
    from recpair.cli import console
    from recpair.experiment.load import load
    from recpair.experiment.retraining import refit as refitting
    from recpair.experiment.retraining import refit_config
    from recpair.run import refitted

    with console.notes():
        earlier = load(run, plugins=plugins or [])
        config = refit_config(earlier, overrides or [], out)
        with console.EpochBar(config["train"]["epochs"], config["evaluate"]["monitor"]) as bar:
            again = refitting(
                earlier,
                overrides or [],
                out=out,
                metric=metric,
                margin=margin,
                warm_start=not cold,
                resume=resume,
                plugins=plugins or [],
                log=bar,
            )
    record = again.metrics["refit"]
    console.frame_table(f"Test {record['metric']}: {earlier.folder} and its refit", refitted.table(again.metrics))
    console.console.print(refitted.leakage(again.metrics))
    console.console.print(f"run folder:  {again.folder}  (SUMMARY.md)")
    console.console.print(refitted.verdict(again.metrics))
    if not record["promote"]:
        raise typer.Exit(NOT_PROMOTED)
