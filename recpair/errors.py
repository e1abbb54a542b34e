"""Errors raised for bad input: one class per place where the mistake was made.

Every message is one line of at most 390 characters that names the file, row, column or config key, says what was
expected and what to do. The command line prints it after "error:" and exits with code 2.
"""

from recpair.redaction import redacted

LIMIT = 390  # characters of a message: a line of the command line stays below 400


class RecpairError(Exception):
    """An error that the user can correct; the message is complete without a traceback."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(redacted(message)))


class ConfigError(RecpairError):
    """A config key is unknown, has the wrong type, or contradicts another one."""


class DataError(RecpairError):
    """An event file, frame or side table cannot be used as it is."""


class RunError(RecpairError):
    """A run folder is incomplete, truncated, or of another version."""


class UnknownIdError(RecpairError):
    """A user or an item that was not in training was asked for."""


class EndpointError(RecpairError):
    """A server of a model cannot be reached, refuses, or gives an answer that cannot be used."""


class TrainingError(RecpairError):
    """Training cannot go on: the loss is not finite, or there is nothing to train on."""


def one_line(text: str, limit: int = LIMIT) -> str:
    """The text on one line, unprintable characters escaped; the middle is left out where it is longer than ``limit``."""
    if len(text) > 8 * limit:  # escapes take up to ten characters each
        text = text[: 4 * limit] + " … " + text[-4 * limit :]
    line = " ".join(text.split())
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in line)
    if len(line) <= limit:
        return line
    head = (limit - 3) * 2 // 3
    return f"{line[:head]} … {line[head + 3 - limit :]}"


def shown(value: object, limit: int = 100) -> str:
    """A value as it appears in a message: its ``repr``, of bounded length."""
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 128:
        return f"an integer of {value.bit_length():,} bits"
    if isinstance(value, str) and len(value) > limit:
        value = one_line(redacted(value), limit - 2)
    try:
        return one_line(repr(value), limit)
    except (ValueError, RecursionError):  # an integer in it has too many digits, or it is nested too deeply
        return f"a {type(value).__name__}"
