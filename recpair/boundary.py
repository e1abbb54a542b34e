"""Conversion of errors of other libraries, raised in public functions, to one-line messages."""

import functools
import os
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from recpair.errors import RecpairError, RunError

P = ParamSpec("P")
T = TypeVar("T")

LIBRARIES = {
    "alembic": "the MLflow store",
    "llvmlite": "numba",
    "mlflow": "MLflow",
    "numba": "numba",
    "polars": "polars",
    "pyarrow": "pyarrow",
    "pyo3_runtime": "polars",  # a panic, which is not an Exception
    "safetensors": "safetensors",
    "safetensors_rust": "safetensors",
    "sqlalchemy": "the MLflow store",
    "yaml": "YAML",
}
_process: int | None = None  # id of the first process that called a public function
OUT_OF_MEMORY = (  # texts of torch's RuntimeError and TypeError, and of numpy's ValueError
    "allocate memory",
    "out of memory",
    "array is too big",
    "Maximum allowed dimension exceeded",
    "Storage size calculation overflowed",
    "numel: integer multiplication overflow",
    "Overflow when unpacking long",
)


def boundary(function: Callable[P, T]) -> Callable[P, T]:
    """Decorate a public function to raise ``RecpairError`` for errors of the system and of other libraries.

    The original error is kept as the cause, so that debuggers and ``--debug`` show it. Other errors (TypeError,
    KeyError, …) are bugs in recpair and are not converted.
    """

    @functools.wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            _require_own_threads()
            return function(*args, **kwargs)
        except RecpairError:
            raise
        except BaseException as error:  # a panic of polars is not an Exception
            if (message := explained(error)) is None:
                raise
            raise RecpairError(message) from error

    return guarded


def _require_own_threads() -> None:
    """Raise a RunError in a fork of a process that has used recpair: a fork inherits locks of polars, but no threads."""
    global _process
    if _process is None:
        _process = os.getpid()
    elif _process != os.getpid():
        raise RunError(
            f"process {os.getpid()} is a fork of process {_process}, which has used recpair: the thread pools of torch and "
            f"polars do not survive a fork; use the start method spawn, or fork before recpair is used"
        )


def explained(error: BaseException) -> str | None:
    """Return the message for an error of the system or of another library; None for any other error."""
    text = " ".join(str(error)[:4000].split())
    if isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError | TypeError | ValueError) and any(t in text for t in OUT_OF_MEMORY)
    ):
        return (
            f"out of memory ({text[:120] or 'no details'}); lower model.embedding_dim, sampler.batch_size, "
            f"sampler.n_negatives or denoise.candidates"
        )
    if isinstance(error, OSError):
        return f"{error.filename or 'the system'}: {error.strerror}" if error.strerror else text
    if isinstance(error, RecursionError):
        return "the input is nested too deeply; expected at most a few levels"
    if isinstance(error, ValueError) and "null byte" in text:
        return "a path holds a null character; expected a path of this system"
    if isinstance(error, UnicodeError):
        return f"the input has characters that are not valid text ({text})"
    library = LIBRARIES.get(type(error).__module__.partition(".")[0])
    return None if library is None else f"{library} reports {type(error).__name__}: {text or 'no details'}"
