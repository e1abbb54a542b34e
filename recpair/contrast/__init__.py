"""Contrast terms: ``(model, scorer, batch) -> scalar``, added to the loss under their own name."""

from collections.abc import Callable

from recpair.contrast.contract import Context, Term

TERMS: dict[str, Callable[..., Term]] = {}

__all__ = ["TERMS", "Context", "Term"]
