"""Interface of losses: kinds by return annotation, and pointwise losses made of two functions."""

import inspect
from collections.abc import Callable
from functools import cache, update_wrapper
from inspect import Parameter, Signature
from typing import Any, TypeVar

from jaxtyping import Float
from torch import Tensor

from recpair.errors import ConfigError
from recpair.signatures import signature

Loss = Callable[..., Tensor]
F = TypeVar("F", bound=Callable[..., Any])

KINDS = {
    "Q P": "candidate-wise: column p depends on pos[:, p] alone",
    "Q": "setwise: one loss for all positives and negatives of a query",
    "": "batchwise: one loss for the batch",
}


class Pointwise:
    """A loss that is a sum over the positive and each negative: positive(s⁺) + Σ negative(s⁻).

    Called as ``loss(pos (Q, P), neg (Q, N)) -> (Q, P)``; denoisers weight the two sides separately. Created by
    ``pointwise``.
    """

    def __init__(self, positive: Callable[..., Tensor], negative: Callable[..., Tensor]) -> None:
        self.positive, self.negative = positive, negative
        update_wrapper(self, positive)
        own = [p for p in inspect.signature(positive).parameters.values() if p.name not in ("s", "n_negatives")]
        both = [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in ("pos", "neg")]
        self.__signature__ = Signature([*both, *own], return_annotation=Float[Tensor, "Q P"])

    def __call__(self, pos: Tensor, neg: Tensor, *supplied: Any, **given: Any) -> Tensor:
        names = [p.name for p in self.__signature__.parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
        given |= dict(zip(names[2:], supplied, strict=False)) | {"n_negatives": neg.shape[1]}
        return _called(self.positive, pos, given) + _called(self.negative, neg, given).sum(-1, keepdim=True)


def pointwise(negative: Callable[..., Tensor]) -> Callable[[Callable[..., Tensor]], Pointwise]:
    """Create a pointwise loss from the decorated function, the loss of a positive's score, and ``negative``.

    Both take the scores as ``s`` and return a loss of the same shape. Further parameters of the decorated function
    before ``*`` are supplied by recpair (``n_negatives`` is N). Its options after ``*`` are those of the loss;
    ``negative`` may have some of them.
    """
    return lambda positive: Pointwise(positive, negative)


def positives(n: int) -> Callable[[F], F]:
    """Declare that a loss or a term uses n positives per query (``sampler.n_positives`` overrides it)."""

    def declare(component: F) -> F:
        component.n_positives = n  # type: ignore[attr-defined]
        return component

    return declare


def estimates_catalogue(loss: F) -> F:
    """Declare that a loss sums e^score over the negatives; with ``sampler.correct`` this estimates the sum over all."""
    loss.estimates_catalogue = True  # type: ignore[attr-defined]
    return loss


@cache
def kind_of(loss: Callable[..., Any]) -> str:
    """Shape of the return value of a loss: ``"Q P"``, ``"Q"`` or ``""``.

    Raises:
        ConfigError: the return annotation is none of the three.
    """
    annotation = signature(loss).return_annotation
    shape = getattr(annotation, "dim_str", None)
    if shape not in KINDS:
        raise ConfigError(
            f'loss {getattr(loss, "__name__", loss)} needs a return annotation that says its kind: Float[Tensor, "Q P"] '
            f"(a loss per positive), "
            f'Float[Tensor, "Q"] (per query) or Float[Tensor, ""] (per batch)'
        )
    return str(shape)


def _called(side: Callable[..., Tensor], s: Tensor, given: dict[str, Any]) -> Tensor:
    names = list(inspect.signature(side).parameters)[1:]
    return side(s, **{name: given[name] for name in names if name in given})
