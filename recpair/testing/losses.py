"""Contract test of losses."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from recpair.losses import kind_of
from recpair.step import Step
from recpair.testing.world import World, require_options

EXTREME = 5000.0  # score


def check_loss(loss: Callable[..., Any], **options: Any) -> None:
    """Check a loss function on a small data set.

    - Parameters before ``*`` are supplied by recpair; the return annotation names one of the three kinds.
    - The result has the shape of its kind and is finite, also for scores of ±5,000 and for a single query.
    - Gradients agree with finite differences (in double precision).
    - "Q P": column p depends on ``pos[:, p]`` alone. "Q": the order of the positives has no effect.
    - The order of the negatives has no effect.

    Args:
        loss: a function of supplied values, or a loss made by ``pointwise``.
        options: values of its options.

    Raises:
        AssertionError: a property is violated.
        ConfigError: the signature is invalid.
    """
    name = getattr(loss, "__name__", str(loss))
    kind, world = kind_of(loss), World(loss)
    require_options(loss, name)
    world.model.double()
    positives = 3 if kind == "Q P" or kind == "Q" else 1
    step = world.step(world.batch(positives=positives))
    value = step.supply(loss, options)
    shape = {"Q P": step.pos.shape, "Q": step.pos.shape[:1], "": torch.Size()}[kind]
    assert isinstance(value, Tensor), f"{name} returns {type(value).__name__}, expected a tensor"
    assert value.shape == shape, (
        f'{name} is annotated "{kind}" and returns {tuple(value.shape)}, expected {tuple(shape)}'
    )
    assert torch.isfinite(value).all(), f"{name} is not finite"
    _check_gradients(name, loss, step, options)
    if kind == "Q P":
        _check_columns(name, loss, step, options)
    if kind == "Q":
        turned = step.on(step.batch.take(torch.arange(positives).flip(0).expand(len(step.batch), -1)), neg=step.neg)
        _require_equal(turned.supply(loss, options), value, f"{name} depends on the order of the positives")
    if step.batch.negatives is not None:
        _require_equal(
            step.supply(loss, options, neg=step.neg.flip(1)), value, f"{name} depends on the order of the negatives"
        )
    single = world.step(world.batch(queries=1, positives=positives, negatives=1)).supply(loss, options)
    assert torch.isfinite(single).all(), f"{name} is not finite for a single query with one negative"
    _check_extremes(name, loss, step, options)


def _check_gradients(name: str, loss: Callable[..., Any], step: Step, options: dict[str, Any]) -> None:
    scores = [values.detach().requires_grad_() for values in (step.pos, step.neg)]

    def of(pos: Tensor, neg: Tensor) -> Any:
        return step.supply(loss, options, pos=pos, neg=neg, log_partition=neg)

    if not of(*scores).requires_grad:  # a loss of neither, such as none
        return
    try:
        agrees = torch.autograd.gradcheck(of, scores, check_undefined_grad=False)
    except RuntimeError as error:
        raise AssertionError(f"the gradient of {name} disagrees with finite differences: {error}") from None
    assert agrees


def _check_columns(name: str, loss: Callable[..., Any], step: Step, options: dict[str, Any]) -> None:
    together = step.supply(loss, options)
    for column in range(together.shape[1]):
        alone = step.on(step.batch.take(torch.full((len(step.batch), 1), column)), neg=step.neg)
        message = f'{name} is annotated "Q P", but column {column} depends on other positives; annotate it "Q"'
        _require_equal(alone.supply(loss, options), together[:, [column]], message)


def _check_extremes(name: str, loss: Callable[..., Any], step: Step, options: dict[str, Any]) -> None:
    for sign in (1, -1):
        pos = torch.full_like(step.pos.float(), sign * EXTREME).requires_grad_()
        neg = torch.full_like(step.neg.float(), -sign * EXTREME).requires_grad_()
        value = step.supply(loss, options, pos=pos, neg=neg, log_partition=neg)
        gap = f"positives at {sign * EXTREME:,.0f} and negatives at {-sign * EXTREME:,.0f}"
        assert torch.isfinite(value).all(), f"{name} is not finite for {gap}"
        if value.requires_grad:
            value.sum().backward()
            gradients = [scores.grad for scores in (pos, neg) if scores.grad is not None]
            assert all(torch.isfinite(each).all() for each in gradients), (
                f"the gradient of {name} is not finite for {gap}"
            )


def _require_equal(value: Tensor, expected: Tensor, message: str) -> None:
    assert torch.allclose(value, expected, rtol=1e-10, atol=1e-10), message
