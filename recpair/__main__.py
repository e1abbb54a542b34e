"""``python -m recpair`` is the command line."""

from recpair.cli import entry

entry()
