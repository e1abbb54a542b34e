"""Diagnostics: values of a training step that are logged but not trained on, for every model that supplies their inputs."""

from collections.abc import Callable

from torch import Tensor

from recpair.diagnostics.alignment_uniformity import alignment_uniformity

Diagnostic = Callable[..., dict[str, Tensor]]

DIAGNOSTICS: dict[str, Diagnostic] = {
    "alignment_uniformity": alignment_uniformity,
}

__all__ = ["DIAGNOSTICS", "Diagnostic"]
