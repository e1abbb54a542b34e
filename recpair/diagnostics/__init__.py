"""Diagnostics: numbers about a step that are logged and not trained on, for every model that gives what they name."""

from collections.abc import Callable

from torch import Tensor

from recpair.diagnostics.alignment_uniformity import alignment_uniformity

Diagnostic = Callable[..., dict[str, Tensor]]

DIAGNOSTICS: dict[str, Diagnostic] = {
    "alignment_uniformity": alignment_uniformity,
}

__all__ = ["DIAGNOSTICS", "Diagnostic"]
