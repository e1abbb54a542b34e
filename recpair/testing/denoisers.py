"""Contract test of denoisers."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from recpair.denoising import Choice, Denoiser, Pool
from recpair.seeds import isolated
from recpair.testing.world import World, require_options

QUERIES, NEGATIVES = 8, 3


def check_denoiser(denoiser: Callable[..., Any], **options: Any) -> None:
    """Check a denoiser on random losses.

    - It has ``candidates``, ``start_epoch`` and ``choose``; constructor parameters before ``*`` are supplied by recpair.
    - Chosen columns exist, weights are finite and at least 0, with the shape of the columns; statistics are scalars.
    - All draws use ``seeds.generator``: the same seed gives the same choice.
    - State per interaction is in buffers of shape (E,), so that checkpoints include it.

    Args:
        denoiser: the class.
        options: values of its options.

    Raises:
        AssertionError: a property is violated.
        ConfigError: the signature is invalid.
    """
    name = getattr(denoiser, "__name__", str(denoiser))
    world = World(denoiser)
    require_options(denoiser, name)
    n_events = len(world.train)
    made = world.construct(denoiser, **options)
    assert isinstance(made, Denoiser), f"{name} lacks one of candidates, start_epoch and choose"
    assert made.candidates >= 1, f"{name} has {made.candidates} candidates, expected at least 1"
    for epoch in (1, 20, 200):
        for negatives in (None, NEGATIVES):
            _check_choice(name, _chosen(made, _pool(made, n_events, epoch, negatives)), made, negatives)
    first, second = (
        _chosen(world.construct(denoiser, **options), _pool(made, n_events, 20, NEGATIVES)) for _ in range(2)
    )
    assert torch.equal(first.columns, second.columns), (
        f"{name} differs for the same seed; draw with generator=seeds.generator(device)"
    )
    if isinstance(made, nn.Module):
        shapes = {key: tuple(tensor.shape) for key, tensor in made.named_buffers()}
        assert set(shapes.values()) <= {(n_events,)}, f"{name} has buffers {shapes}, expected shape ({n_events},)"
        assert set(shapes) <= set(made.state_dict()), (
            f"{name} has non-persistent buffers, which checkpoints do not include"
        )


def _pool(denoiser: Denoiser, n_events: int, epoch: int, negatives: int | None) -> Pool:
    generator = torch.Generator().manual_seed(epoch)
    losses = torch.rand(QUERIES, denoiser.candidates, generator=generator)
    rows = torch.randint(n_events, losses.shape, generator=generator)
    drawn = None if negatives is None else torch.rand(QUERIES, negatives, generator=generator)
    return Pool(losses, rows, epoch, drawn)


def _chosen(denoiser: Denoiser, pool: Pool) -> Choice:
    with isolated(0):
        return denoiser.choose(pool)


def _check_choice(name: str, choice: Choice, denoiser: Denoiser, negatives: int | None) -> None:
    columns = choice.columns
    assert columns.ndim == 2, f"{name} chooses columns of shape {tuple(columns.shape)}, expected (Q, S)"
    assert len(columns) == QUERIES, f"{name} chooses for {len(columns)} queries, expected {QUERIES}"
    assert columns.dtype == torch.int64, f"{name} chooses columns of type {columns.dtype}, expected int64"
    least, most = int(columns.min()), int(columns.max())
    assert least >= 0, f"{name} chooses column {least}"
    assert most < denoiser.candidates, f"{name} chooses column {most} of {denoiser.candidates}"
    expected = {"weights": tuple(columns.shape), "negative_weights": (QUERIES, negatives)}
    for kind, shape in expected.items():
        weights = getattr(choice, kind)
        if weights is not None:
            assert weights.shape == shape, f"{name} has {kind} of shape {tuple(weights.shape)}, expected {shape}"
            assert torch.isfinite(weights).all(), f"{name} has {kind} that are not finite"
            assert bool((weights >= 0).all()), f"{name} has negative {kind}"
    for key, value in choice.stats.items():
        assert value.ndim == 0, f"{name} logs {key} of shape {tuple(value.shape)}, expected a scalar"
        assert torch.isfinite(value), f"{name} logs {key}, which is not finite"
