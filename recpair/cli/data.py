"""Commands for data sets."""

from pathlib import Path
from typing import Annotated

import typer

from recpair.cli.app import OverridesArgument, app

data_app = typer.Typer(
    help="Describe data sets (recpair data describe SOURCE) and download public ones (recpair data fetch NAME).",
    no_args_is_help=True,
)
app.add_typer(data_app, name="data")


@data_app.command()
def describe(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A named data set (ml-100k), a file or a folder.")],
    overrides: OverridesArgument = None,
) -> None:
    """Print statistics of a data set: density, user and item activity, time span, duplicates, events left by filters.

    [bold]Examples[/]

      recpair data describe ml-100k filter.user_core=10 filter.item_core=10

      recpair data describe events.csv data.columns.user=uid data.columns.item=sku
    """
    from recpair.cli import console
    from recpair.experiment import overview

    with console.notes():
        description, filtered = overview.describe(source, overrides or [])
    rows = [(name, f"{value:,.4f}" if value % 1 else f"{value:,.0f}") for name, value in description.counts.items()]
    if description.time_span:
        rows.append(("time span", " – ".join(description.days())))
    console.pair_table(source, rows)
    console.histogram("users by number of events", description.user_activity)
    console.histogram("items by number of events", description.item_activity)
    console.pair_table("what the filters leave", [(name, f"{left:,} events") for name, left in filtered])


@data_app.command()
def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="ml-100k, ml-1m, gowalla, yelp2018 or amazon-beauty.")],
    root: Annotated[Path | None, typer.Option(help="Target folder; by default $RECPAIR_DATA, else data/.")] = None,
    mirror: Annotated[str | None, typer.Option(help="Another host with the same files, http://host:port.")] = None,
) -> None:
    """Download a public data set from its publisher, verify it, and convert it to Parquet.

    An interrupted download is continued. Use the data set with data: {source: NAME}.

    [bold]Example[/]

      recpair data fetch ml-1m
    """
    from recpair.cli import console
    from recpair.data.events import data_root
    from recpair.data.fetch import fetch as download

    with console.DownloadBar() as bar:
        folder = download(name, root or data_root(), report=bar, mirror=mirror)
    console.console.print(f"{name} is in {folder}; use it with data.source={name}")
