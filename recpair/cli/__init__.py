"""Command line interface: one file per group of commands, each command a thin wrapper of the library."""

from recpair.cli import data, semantics
from recpair.cli.command import entry, main

__all__ = ["data", "entry", "main", "semantics"]
