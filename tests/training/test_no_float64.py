"""Devices without float64, such as Apple's: no tensor of a run has 64 bits, and the means lose no digits by that."""

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import recpair
from recpair.terms.contrast import views
from recpair.training.meters import Meters

ALONE = SimpleNamespace(world_size=1)


class RefuseFloat64(TorchDispatchMode):
    """Raises where an operation takes or gives a tensor of 64-bit floats."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        for leaf in tree_leaves((args, kwargs, out)):
            if isinstance(leaf, torch.Tensor) and leaf.dtype == torch.float64:
                raise TypeError(f"{function} makes or reads float64")
        return out


@pytest.mark.parametrize(
    "sections",
    [
        {
            "model": {"name": "mf", "embedding_dim": 4},
            "denoise": {"name": "pld", "start_epoch": 0},
            "hard_negatives": {"name": "dns", "share": 0.5},
            "loss": "sampled_softmax",
            "sampler": {"n_negatives": 4, "shared": True, "correct": True},
        },
        {"model": {"name": "lightgcn", "embedding_dim": 4}, "loss": "bce", "denoise": {"name": "dcf"}},
        {"model": {"name": "neumf", "embedding_dim": 4, "dropout": 0.1, "layers": [4]}, "denoise": {"name": "dbpm"}},
        {
            "model": {"name": "sasrec", "embedding_dim": 4, "inner_dim": 4},
            "sampler": {"name": "sequences"},
            "contrast": ["cl4srec", "coserec", "duorec", {"name": "iclrec", "intents": 4}],
        },
    ],
    ids=["mf", "lightgcn", "neumf", "sasrec"],
)
def test_no_tensor_of_a_run_has_64_bits(sections, checkerboard, quick):
    quick |= sections
    quick["train"] |= {"epochs": 1, "audit_from": 1, "clip_norm": 1.0}
    quick["evaluate"]["monitor"] = "ndcg@5"
    events = checkerboard.with_columns(timestamp=pl.int_range(pl.len()))
    with RefuseFloat64():
        recpair.fit(quick, data=events)


def test_means_of_an_epoch_are_those_of_64_bits():
    """Large and small losses over many steps; a running sum of 32 bits would lose three digits."""
    generator = np.random.default_rng(0)
    losses = (generator.lognormal(0, 4, 30_000)).astype(np.float32)
    queries = generator.integers(1, 4096, len(losses))
    meters = Meters(ALONE)
    for step, (loss, n) in enumerate(zip(losses, queries, strict=True)):
        parts = {"loss": torch.tensor(loss)} | ({"rare": torch.tensor(float(step))} if step % 3 == 0 else {})
        meters.add(parts, int(n))
        if step % 100 == 0:
            assert meters.first_bad_step() is None
    means, total = meters.close()
    assert total == queries.sum()
    assert means["loss"] == pytest.approx(np.average(losses.astype(np.float64), weights=queries), rel=1e-13)
    rare = np.arange(0, len(losses), 3)  # reported by some steps: their mean is over those
    assert means["rare"] == pytest.approx(np.average(rare, weights=queries[::3]), rel=1e-13)


@pytest.mark.parametrize("bad", [1, 7, 250])
def test_the_first_bad_step_is_found_whenever_it_is_asked_for(bad):
    meters = Meters(ALONE)
    for step in range(1, 301):
        meters.add({"loss": torch.tensor(torch.inf if step in (bad, bad + 20) else 1.0)}, 2)
        if step % 100 == 0 and (found := meters.first_bad_step()):
            break
    assert found == bad


@pytest.mark.parametrize("rate", [0.1, 0.29, 0.6, 0.7, 1.0])
def test_shares_of_a_length_are_pythons(rate):
    lengths = torch.arange(101).unsqueeze(1)
    assert views._share(lengths, rate, 100).flatten().tolist() == [int(rate * n) for n in range(101)]
