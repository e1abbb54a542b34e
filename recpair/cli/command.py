"""Entry point of the command line: errors are printed as one line, with exit code 2."""

import os
import sys
import traceback
from pathlib import Path

import typer

from recpair import processes
from recpair.boundary import explained
from recpair.cli.app import app
from recpair.errors import RecpairError, one_line

INTERNAL = 70  # the exit code of an internal error (EX_SOFTWARE of sysexits.h)
UsageError: type[typer.BadParameter] = typer.BadParameter.__mro__[1]  # the UsageError of the click that this typer uses


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; ``--debug`` raises errors.

    Returns:
        0; 2 after an error that the user can correct; 70 after an internal error of recpair; 130 when interrupted.
    """
    given = sys.argv[1:] if arguments is None else arguments
    try:
        code = app([a for a in given if a != "--debug"], standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        return 130
    except SystemExit:
        raise
    except BaseException as error:  # a panic of polars is not an Exception
        if "--debug" in given and not isinstance(error, UsageError):
            raise
        message, code = _described(error)
        if message:
            processes.delay_on_other_ranks()
            print(f"error: {one_line(message)}", file=sys.stderr)
    return code if isinstance(code, int) else 0


def _described(error: BaseException) -> tuple[str, int]:
    """Message and exit code of an error."""
    if isinstance(error, RecpairError):
        return str(error), 2
    if isinstance(error, UsageError):
        text = error.format_message()  # empty: a group without a command has already printed its help
        return f"{one_line(text, 370)} (see --help)" if text else "", 2
    if processes.has_lost_another(error):
        return "another rank failed; see its message above", 2
    if (message := explained(error)) is not None:
        return message, 2
    from recpair.plugins import is_loaded

    places = traceback.extract_tb(error.__traceback__)
    for place in reversed(places):
        if is_loaded(place.filename):
            text = f"{type(error).__name__}: {one_line(str(error), 200)}"
            return f"{place.filename}, line {place.lineno}: {text}; --debug shows the traceback", 2
    place = places[-1]
    internal = f"{type(error).__name__}: {one_line(str(error), 200)} in {Path(place.filename).name}:{place.lineno}"
    return f"internal error ({internal}); please report it with what --debug prints", INTERNAL


def entry() -> None:
    """Run the console script.

    Sets ``OMP_WAIT_POLICY=PASSIVE`` unless the user has set it. By default, waiting OpenMP threads spin, and on a
    busy machine an epoch takes a hundred times as long.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch and numba load OpenMP
    sys.exit(main())
