"""A RecBole model, made as RecBole makes it: from settings and a data set."""

import io
from collections.abc import Mapping
from contextlib import redirect_stdout
from typing import Any

import torch

from recpair.bridges.recbole.borrowed import drawn_seed
from recpair.bridges.recbole.dataset import FIELDS, TrainingSet
from recpair.data.interactions import Interactions
from recpair.errors import ConfigError


class Settings(dict[str, Any]):
    """What a model asks RecBole's ``Config``, without its command line, files, ``eval`` and changes to numpy."""

    device = torch.device("cpu")  # a model is made there, and moved by the loop

    def __missing__(self, key: str) -> None:
        """RecBole's Config answers None for a key that it does not have, and DiffRec asks for one."""


def settings_of(options: Mapping[str, Any]) -> Settings:
    """A model's own options beside the general ones that models read, at RecBole's defaults."""
    general = {"device": Settings.device, "require_pow": False, "train_batch_size": 2048, "seed": drawn_seed() % 2**31}
    return Settings(FIELDS | general | {"train_neg_sample_args": {"sample_num": 1}} | dict(options))


def make(source: type[Any], settings: Settings, interactions: Interactions) -> Any:
    """The model; call it inside ``borrowed``.

    Raises:
        ConfigError: the model's constructor refuses its options.
    """
    try:
        with redirect_stdout(io.StringIO()):  # FISM and NAIS print advice
            return source(settings, TrainingSet(interactions))
    except (AssertionError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split()) or "an assertion about them fails"
        raise ConfigError(f"model recbole/{source.__name__} refuses its options: {reason}") from error
