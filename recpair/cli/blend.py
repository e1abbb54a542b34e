"""Command that blends runs."""

import re
from pathlib import Path
from typing import Annotated, Literal

import typer

from recpair.cli import completion
from recpair.cli.app import PluginsOption, app, numbers

OVERRIDE = re.compile(r"[a-z_]+(\.\w+)*=")  # section.key=value


@app.command()
def blend(
    members: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN|CONFIG...",
            help="Run folders or MLflow run ids. Configs (.yaml, .toml) are fitted first, into OUT.members/NAME, with "
            "all arguments SECTION.KEY=VALUE as overrides.",
            autocompletion=completion.runs,
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The run folder to write.")],
    metric: Annotated[
        str | None,
        typer.Option("--metric", "-m", help="Validation metric that chooses the weights; by default evaluate.monitor."),
    ] = None,
    calibration: Annotated[
        Literal["auto", "z_score", "rank", "log_softmax"],
        typer.Option(help="Map of the scores before they are added; auto chooses on the validation part."),
    ] = "auto",
    groups: Annotated[
        int, typer.Option(min=1, max=100, help="Groups of users by number of events, each with its own weights.")
    ] = 1,
    weights: Annotated[
        str | None, typer.Option(help="Weights of the runs, as in 2,1,1; nothing but the calibration is chosen then.")
    ] = None,
    refit: Annotated[
        bool,
        typer.Option(
            "--refit",
            help="Then train each run again, with the validation events too, and blend with the same weights.",
        ),
    ] = False,
    plugins: PluginsOption = None,
) -> None:
    """Blend runs of one split: a weighted sum of their calibrated scores, saved as a run like any other.

    The weights are chosen on the validation part. The blend is evaluated once on the test part, and compared with the
    best member by a paired test.

    [bold]Examples[/]

      recpair blend runs/ease runs/mf --out runs/blend

      recpair blend runs/ease runs/mf runs/knn --out runs/blend --metric ndcg@10 --groups 3 --calibration z_score

      recpair blend runs/ease runs/mf --out runs/blend --refit

      recpair blend gowalla/bspm.yaml gowalla/slim.yaml data.source=null data.path=my.csv --out runs/blend
    """
    from recpair.cli import console
    from recpair.experiment import blend as blending
    from recpair.run import blended

    given = None if weights is None else numbers("weights are", weights, float, "2,1,1")
    overrides = [each for each in members if OVERRIDE.match(each) and not Path(each).exists()]
    with console.notes():
        run = blending.blend(
            [each for each in members if each not in overrides],
            out,
            overrides,
            metric=metric,
            calibration=calibration,
            groups=groups,
            weights=given,
            refit=refit,
            plugins=plugins or [],
        )
    record = run.metrics["blend"]
    title = f"Blend by validation {record['metric']}, {record['readings']} readings of the validation part"
    console.frame_table(title, blended.table(run.metrics))
    console.console.print(blended.verdict(run.metrics))
    console.console.print(f"run folder:  {run.folder}  (SUMMARY.md)")
