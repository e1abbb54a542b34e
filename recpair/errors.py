"""Errors raised for invalid input: one class per source of the error.

Every message is one line of at most 390 characters with the file, row, column or config key, the expected input and
the remedy. The command line prints it after "error:" and exits with code 2.
"""

from recpair.redaction import redacted

LIMIT = 390  # characters of a message: a line of the command line stays below 400


class RecpairError(Exception):
    """Base class of errors that the user can correct; the message is complete without a traceback."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(redacted(message)))


class ConfigError(RecpairError):
    """Error for a config key that is unknown, has the wrong type, or contradicts another key."""


class DataError(RecpairError):
    """Error for an event file, frame or side table that cannot be used."""


class RunError(RecpairError):
    """Error for a run folder that is incomplete, truncated, or of another version."""


class UnknownIdError(RecpairError):
    """Error for a user or item that was not seen in training."""


class EndpointError(RecpairError):
    """Error for a model server that is unreachable, rejects a request, or returns an invalid response."""


class TrainingError(RecpairError):
    """Error that stops training: the loss is not finite, or training data is missing."""


def one_line(text: str, limit: int = LIMIT) -> str:
    """Return the text on one line, with unprintable characters escaped; text longer than ``limit`` is cut in the middle."""
    if len(text) > 8 * limit:  # an escape has up to ten characters
        text = text[: 4 * limit] + " … " + text[-4 * limit :]
    line = " ".join(text.split())
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in line)
    if len(line) <= limit:
        return line
    head = (limit - 3) * 2 // 3
    return f"{line[:head]} … {line[head + 3 - limit :]}"


def shown(value: object, limit: int = 100) -> str:
    """Return a value as shown in messages: its ``repr`` with bounded length."""
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 128:
        return f"an integer of {value.bit_length():,} bits"
    if isinstance(value, str) and len(value) > limit:
        value = one_line(redacted(value), limit - 2)
    try:
        return one_line(repr(value), limit)
    except (ValueError, RecursionError):  # too many digits in an integer, or too deeply nested
        return f"a {type(value).__name__}"
