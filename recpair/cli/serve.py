"""Commands that put a run into service."""

from typing import Annotated

import typer

from recpair.cli.app import PluginsOption, RunArgument, app


@app.command()
def serve(
    run: RunArgument,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 chooses a free one.")] = 5055,
    host: Annotated[str, typer.Option("--host", help="Address to listen on; 0.0.0.0 is all networks.")] = "127.0.0.1",
    plugins: PluginsOption = None,
) -> None:
    """Serve recommendations over HTTP with MLflow's server, until Ctrl-C; nothing has to be set up.

    Answers POST /invocations. A row has a user_id, or a history of item ids; the parameters are k, exclude_seen,
    on_unknown, items and exclude.

    [bold]Example[/]

      recpair serve runs/ml-100k-mf-bpr-pld --port 5055
    """
    from recpair.cli import console
    from recpair.experiment import serving
    from recpair.experiment.load import load
    from recpair.tracking.server import listen

    with listen(host, port) as listening:
        with console.notes():
            loaded = load(run, plugins=plugins or [])
        url = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"

        def started() -> None:
            console.console.print(f"serving {loaded.folder} at {url}; Ctrl-C ends. A request:\n")
            console.console.print(serving.example_request(loaded, url))

        serving.serve_run(loaded, listening, host, started)


@app.command()
def promote(
    run: RunArgument,
    alias: Annotated[str, typer.Option("--alias", help="Alias of the version, such as champion.")],
    name: Annotated[
        str | None,
        typer.Option("--name", help="Name in the model registry; by default tracking.register of the run's config."),
    ] = None,
    uri: Annotated[
        str | None, typer.Option(help="URI of the MLflow store; by default that of the run's config.")
    ] = None,
) -> None:
    """Set an alias of a run's version in MLflow's model registry; the run is registered if it is not.

    [bold]Example[/]

      recpair promote runs/ml-100k-mf-bpr-pld --name films --alias champion
    """
    from recpair.cli import console
    from recpair.experiment import promote as promoting

    done = promoting.promote(run, alias, name=name, uri=uri)
    before = {None: "", done.version: ", as before"}.get(done.previous, f", in place of version {done.previous}")
    console.console.print(f"{done.name} version {done.version} is now {done.alias}{before}")
    console.console.print(f"serve it:    {done.command}")
