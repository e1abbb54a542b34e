"""Command that writes a config for a file of events."""

from pathlib import Path
from typing import Annotated

import typer

from recpair.cli.app import OverridesArgument, app


@app.command()
def init(
    data: Annotated[Path, typer.Option("--data", "-d", help="The events: csv, Parquet, JSON lines, .inter, a folder.")],
    overrides: OverridesArgument = None,
    items: Annotated[Path | None, typer.Option("--items", "-i", help="The item table: titles, categories.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The config to write.")] = Path("recpair.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Look at a file of events and write a config that trains on it, with a comment for each choice.

    Columns are guessed from names and values. Whatever is guessed is printed; an override replaces it.

    [bold]Examples[/]

      recpair init --data events.csv --items items.csv

      recpair init --data log.tsv data.columns.user=0 data.columns.item=3 --out log.yaml
    """
    from recpair.cli import console
    from recpair.experiment import init as initialising

    with console.notes():
        written = initialising.init(data, items, out=out, overrides=overrides or [], force=force)
    console.pair_table(f"Choices for {data}", [(key, f"{value}  ({why})") for key, value, why in written.choices])
    console.console.print(f"config: {written.path}  (check the guesses)")
    console.console.print(f"train:  recpair fit --config {written.path}")
