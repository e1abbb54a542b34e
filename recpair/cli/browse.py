"""The command that shows runs on a local web page."""

from typing import Annotated

import typer

from recpair.cli import completion
from recpair.cli.app import PluginsOption, app


@app.command()
def browse(
    run_folders: Annotated[
        list[str],
        typer.Argument(metavar="RUN [RUN...]", help="Run folders or MLflow run ids.", autocompletion=completion.runs),
    ],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on this machine; 0 for any free one.")] = 5056,
    plugins: PluginsOption = None,
) -> None:
    """Show runs on a local web page: users, recommendations and their reasons, items, audit and learning curves.

    Several runs are shown side by side; the first is the one that others are compared with. The page is read-only and
    can be opened on this machine only, http://127.0.0.1:5056. Ctrl-C ends it.

    [bold]Example[/]

      recpair browse runs/ml-100k-mf-bpr runs/ml-100k-mf-bpr-pld
    """
    from recpair.browse.server import serve
    from recpair.cli import console
    from recpair.experiment.load import load

    with console.notes():
        runs = [load(run, plugins=plugins or []) for run in run_folders]
    try:
        serve(runs, port, lambda address: console.console.print(f"{address}  (Ctrl-C to end)"))
    except KeyboardInterrupt:
        return
