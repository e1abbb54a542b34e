"""Command that writes a run for another system."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from recpair.cli.app import PluginsOption, RunArgument, app


@app.command()
def export(
    run: RunArgument,
    out: Annotated[Path, typer.Option("--out", "-o", help="A new or empty folder.")],
    format: Annotated[
        Literal["mlflow", "onnx", "recbole", "vectors"],
        typer.Option("--format", "-f", help="What to write; see above."),
    ] = "recbole",
    plugins: PluginsOption = None,
) -> None:
    r"""Write a run for another system.

    [bold]vectors[/]: user and item vectors as Parquet files, and a faiss index of the items; for vector stores.

    [bold]onnx[/]: the model as an ONNX graph from users or histories to the k best items, checked with onnxruntime.

    [bold]mlflow[/]: an MLflow model folder, without a tracking store; mlflow models serve -m FOLDER serves it.

    [bold]recbole[/]: the run's data as RecBole's atomic files. The name of the folder is the name of the data set: RecBole
    reads NAME.train.inter, NAME.valid.inter, NAME.test.inter and NAME.item with data_path: the folder above, dataset: NAME,
    benchmark_filename: \[train, valid, test]. If the run's data set can no longer be read, NAME.inter holds the training
    events.

    [bold]Examples[/]

      recpair export runs/ml-100k-mf-bpr --format vectors --out vectors

      recpair export runs/ml-100k-sasrec --format onnx --out onnx
    """
    from recpair.cli import console
    from recpair.experiment.export import export as write
    from recpair.experiment.load import load

    with console.notes():
        paths = write(load(run, plugins=plugins or []), out, format=format)
    for path in paths:
        console.console.print(f"{path}")
