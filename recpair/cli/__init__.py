"""The command line, a file per group of verbs; each verb is thin over the library."""

from recpair.cli import data, semantics
from recpair.cli.command import entry, main

__all__ = ["data", "entry", "main", "semantics"]
