"""Construction of a RecBole model from settings and a data set."""

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from typing import Any

import torch
from torch import Tensor

from recpair.data.interactions import Interactions
from recpair.errors import ConfigError
from recpair.integrations.recbole.borrowed import drawn_seed
from recpair.integrations.recbole.dataset import FIELDS, TrainingSet


class Settings(dict[str, Any]):
    """Substitute for RecBole's ``Config``, without its command line, files, ``eval`` and changes to numpy."""

    device = torch.device("cpu")  # a model is created there, and moved by the training loop

    def __getattr__(self, name: str) -> Any:
        """Return a key as an attribute, as RecBole's Config does; BERT4Rec's transform tests for this."""
        if name in self:
            return self[name]
        raise AttributeError(name)

    def __missing__(self, key: str) -> None:
        """Return None for a missing key, as RecBole's Config does; DiffRec requires it."""


def settings_of(options: Mapping[str, Any], history_length: int | None = None) -> Settings:
    """Return a model's own options and the general ones that models read, at RecBole's defaults."""
    general = {"device": Settings.device, "require_pow": False, "train_batch_size": 2048, "seed": drawn_seed() % 2**31}
    general |= {"train_neg_sample_args": {"sample_num": 1}, "MAX_ITEM_LIST_LENGTH": history_length}
    return Settings(FIELDS | general | dict(options))


def make(source: type[Any], settings: Settings, interactions: Interactions) -> Any:
    """Return the model; call it inside ``borrowed``.

    Raises:
        ConfigError: the model's constructor rejects its options.
    """
    with refusing(source), redirect_stdout(io.StringIO()):  # FISM and NAIS print advice
        return source(settings, TrainingSet(interactions, settings["MAX_ITEM_LIST_LENGTH"]))


@contextmanager
def refusing(source: type[Any]) -> Iterator[None]:
    """Convert errors that a model raises for its options into a ConfigError."""
    try:
        yield
    except (ArithmeticError, AssertionError, LookupError, RuntimeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split()) or "an assertion about them fails"
        raise ConfigError(f"model recbole/{source.__name__} refuses its options: {reason}") from error


def move_plain_tensors(model: Any, fn: Callable[[Tensor], Tensor]) -> None:
    """Move or cast, like the module, the tensors that RecBole keeps outside its state dict."""
    for name, value in vars(model).items():
        if isinstance(value, Tensor):
            setattr(model, name, fn(value))
    model.device = next(model.parameters()).device
