"""Command line interface: one file per group of commands, each command a thin wrapper of the library."""

# isort: off
from recpair.cli import fit, recommend, runs, export, browse, data, semantics, config, doctor  # noqa: F401: the order of the help
from recpair.cli.command import entry, main
# isort: on

__all__ = ["entry", "main"]
