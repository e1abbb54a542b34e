"""The Typer application, and arguments that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from recpair import __version__
from recpair.cli import completion
from recpair.errors import shown

T = TypeVar("T", int, float)

app = typer.Typer(
    help="Train, evaluate and use recommenders from noisy implicit feedback.",
    epilog="Every command accepts --debug, which shows the traceback of an error. Start with: recpair fit --help",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)

RunArgument = Annotated[
    str, typer.Argument(metavar="RUN", help="A run folder, or an MLflow run id.", autocompletion=completion.runs)
]
ConfigOption = Annotated[
    Path,
    typer.Option(
        "--config",
        "-c",
        help="A YAML or TOML file, or the name of a config that ships with recpair.",
        autocompletion=completion.configs,
    ),
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


def numbers(subject: str, text: str, kind: Callable[[str], T], example: str) -> list[T]:
    """Return the numbers of an option, separated by commas; ``subject`` begins the message on any other text."""
    try:
        return [kind(part) for part in text.split(",")]
    except ValueError:
        raise typer.BadParameter(f"{subject} {shown(text)}; expected numbers such as {example}") from None


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
