"""Command line interface: one file per group of commands, each command a thin wrapper of the library."""

from recpair.cli import config, data, semantics
from recpair.cli.command import entry, main

__all__ = ["config", "data", "entry", "main", "semantics"]
