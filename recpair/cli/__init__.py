"""The command line, a file per group of verbs; each verb is thin over the library."""

from recpair.cli import semantics
from recpair.cli.app import entry, main

__all__ = ["entry", "main", "semantics"]
