"""What recpair raises for bad input: one class per place where the mistake was made.

Every message is one line that names the file, row, column or config key, says what was
expected and what to do. The command line prints it after "error:" and exits with code 2.
"""


class RecpairError(Exception):
    """Anything that the user can put right; the message is all there is to read."""


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
