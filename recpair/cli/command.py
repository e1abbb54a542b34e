"""From arguments to an exit code; errors are one line and exit with code 2."""

import os
import sys

import typer

from recpair import processes
from recpair.cli.app import app
from recpair.errors import RecpairError

UsageError: type[typer.BadParameter] = typer.BadParameter.__mro__[1]  # click's, wherever this typer keeps its click


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit code is 0, 2 for what the user can put right, or 130 when interrupted."""
    given = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in given
    try:
        code = app([a for a in given if a != "--debug"], standalone_mode=False)
    except (RecpairError, OSError) as error:
        if debug:
            raise
        return _fail(_one_line(error))
    except (typer.Abort, KeyboardInterrupt):
        return 130
    except (MemoryError, RuntimeError) as error:
        if processes.has_lost_another(error):
            return _fail("another process has ended; what it says, or torchrun below, is the cause")
        if debug or not _out_of_memory(error):
            raise
        return _fail(
            f"the memory does not suffice ({_one_line(error)[:120]}); lower model.embedding_dim, sampler.batch_size, "
            f"sampler.n_negatives or denoise.candidates"
        )
    except UsageError as error:
        if not error.format_message():  # a group without a verb has already printed its help
            return 2
        return _fail(f"{error.format_message()} (see --help)")
    return code if isinstance(code, int) else 0


def _fail(message: str) -> int:
    processes.let_the_first_speak()
    print(f"error: {message}", file=sys.stderr)
    return 2


def _out_of_memory(error: Exception) -> bool:
    """numpy has MemoryError; torch a RuntimeError that only its text tells from others."""
    text = str(error)
    return isinstance(error, MemoryError) or "allocate memory" in text or "out of memory" in text


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'the system'}: {error.strerror}"
    return " ".join(str(error).split())


def entry() -> None:
    """The console script.

    Waiting threads sleep, where the user has not said otherwise: those of OpenMP spin by default, and on a
    machine that is busy with other work an epoch then takes a hundred times as long.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch and numba load OpenMP
    sys.exit(main())
