"""WordLlama: the mean of its token vectors; fast on a CPU, with its weights inside its wheel."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from recpair.errors import ConfigError


class WordLlama:
    """Vectors of 256 numbers by the table of token vectors l2_supercat; never uses the network.

    Raises:
        ConfigError: wordllama is not installed.
    """

    def identity(self) -> tuple[Any, ...]:
        return ("wordllama", "l2_supercat", 256)

    @cached_property
    def _model(self) -> Any:
        try:
            with _root_logger_as_it_was():
                import wordllama
        except ModuleNotFoundError:
            raise ConfigError("semantics.name is wordllama: run pip install 'recpair[text]'") from None
        inside = Path(wordllama.__file__).parent
        return wordllama.WordLlama.load(dim=256, cache_dir=inside, disable_download=True)

    def encode(self, texts: Sequence[str]) -> Float[np.ndarray, "E D"]:
        vectors: np.ndarray = self._model.embed(list(texts))
        return vectors


@contextmanager
def _root_logger_as_it_was() -> Iterator[None]:
    """Restore the root logger, which wordllama configures on import; that is up to the application."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    try:
        yield
    finally:
        root.setLevel(level)
        root.handlers[:] = handlers
