"""Contract test of terms."""

from typing import Any

import torch
from torch import Tensor

from recpair.batch import Batch
from recpair.seeds import isolated
from recpair.terms import Term
from recpair.testing.world import World, require_options


def check_term(term: type[Term], **options: Any) -> None:
    """Check a term on a small data set, with MF, or with SASRec if it needs histories.

    - It is a class derived from ``Term``; parameters before ``*`` are supplied by recpair.
    - It is a finite scalar with finite gradients, also for a batch of one query.
    - It changes the model: a parameter of the model has a gradient.
    - All draws use ``seeds.generator``: the same seed gives the same value.
    - The state dict holds learnt parameters only; tables are non-persistent buffers.

    Args:
        term: the class.
        options: values of its options.

    Raises:
        AssertionError: a property is violated.
        ConfigError: the signature is invalid.
    """
    name = term.__name__
    assert issubclass(term, Term), f"{name} is not derived from recpair.terms.Term"
    require_options(term, name)
    world = World(term, term.forward)
    made = world.construct(term, **options)
    value, gradients = _value(world, made, world.batch(), name)
    assert any(bool(gradient.abs().sum() > 0) for gradient in gradients), f"no parameter has a gradient from {name}"
    again, _ = _value(world, world.construct(term, **options), world.batch(), name)
    assert torch.equal(value, again), f"{name} differs for the same seed; draw with generator=seeds.generator(device)"
    _value(world, made, world.batch(queries=1), name)
    learnt, saved = {key for key, _ in made.named_parameters()}, set(made.state_dict())
    assert saved == learnt, f"{name} saves {sorted(saved - learnt)}; register tables with persistent=False"


def _value(world: World, term: Term, batch: Batch, name: str) -> tuple[Tensor, list[Tensor]]:
    """Return a term of a batch, and its gradients."""
    parameters = [*world.model.parameters(), *term.parameters()]
    with isolated(0):
        term.prepare(world.model)
        value = world.step(batch).supply(term.forward)
        assert isinstance(value, Tensor), f"{name} returns {type(value).__name__}, expected a tensor"
        assert value.ndim == 0, f"{name} returns shape {tuple(value.shape)}, expected a scalar"
        assert torch.isfinite(value), f"{name} is not finite for a batch of {len(batch)}"
        assert value.requires_grad, f"{name} has no gradient"
        for parameter in parameters:
            parameter.grad = None
        value.backward()
    gradients = [parameter.grad.to_dense() for parameter in parameters if parameter.grad is not None]
    assert all(torch.isfinite(each).all() for each in gradients), f"a gradient of {name} is not finite"
    return value.detach(), gradients
