"""Contract test of miners."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from recpair.seeds import isolated
from recpair.testing.world import World, require_options

QUERIES, NEGATIVES = 8, 3


def check_miner(miner: Callable[..., Any], **options: Any) -> None:
    """Check a miner of hard negatives on a small data set.

    - It has ``candidates`` and ``choose``; parameters before ``*`` of both are supplied by recpair.
    - ``choose`` returns int64 columns (Q, N), one within each group of ``candidates`` columns.
    - All draws use ``seeds.generator``: the same seed gives the same columns.

    Args:
        miner: the class.
        options: values of its options.

    Raises:
        AssertionError: a property is violated.
        ConfigError: the signature is invalid.
    """
    name = getattr(miner, "__name__", str(miner))
    require_options(miner, name)
    world = World(miner)
    made = world.construct(miner, **options)
    for attribute in ("candidates", "choose"):
        assert hasattr(made, attribute), f"{name} lacks {attribute}"
    world = World(miner, made.choose)
    n = NEGATIVES * made.candidates
    batch = world.batch(QUERIES, negatives=n)

    def chosen() -> Any:
        with isolated(0), torch.no_grad():
            return world.step(batch).supply(world.construct(miner, **options).choose)

    columns = chosen()
    assert isinstance(columns, Tensor), f"{name}.choose returns {type(columns).__name__}, expected a tensor"
    assert columns.shape == (QUERIES, NEGATIVES), (
        f"{name}.choose returns shape {tuple(columns.shape)} for {n} candidates, expected ({QUERIES}, {NEGATIVES})"
    )
    assert columns.dtype == torch.int64, f"{name}.choose returns {columns.dtype}, expected int64"
    least, most = int(columns.min()), int(columns.max())
    assert least >= 0, f"{name} chooses column {least}"
    assert most < n, f"{name} chooses column {most} of {n}"
    groups = columns // made.candidates
    assert torch.equal(groups, torch.arange(NEGATIVES).expand_as(groups)), f"{name} does not choose one of each group"
    assert torch.equal(columns, chosen()), (
        f"{name} differs for the same seed; draw with generator=seeds.generator(device)"
    )
