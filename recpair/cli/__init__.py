"""Command line interface: one file per group of commands, each command a thin wrapper of the library."""

# isort: off
from recpair.cli import (  # in the order of the help
    init,
    fit,
    tuning,
    recommend,
    runs,
    blend,
    refit,
    export,
    serve,
    browse,
    data,
    semantics,
    config,
    doctor,
)
from recpair.cli.command import entry, main
# isort: on

__all__ = ["entry", "main"]
