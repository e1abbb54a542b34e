"""Entry point of ``python -m recpair``."""

from recpair.cli import entry

entry()
