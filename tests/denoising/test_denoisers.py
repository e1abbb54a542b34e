"""Contract of every registered denoiser, the authors' numbers, and each method's own arithmetic."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import softplus

from recpair.denoising import DENOISERS, Pool
from recpair.denoising.dbpm import DBPM
from recpair.denoising.dcf import DCF
from recpair.denoising.pld import PLD
from recpair.denoising.r_ce import RCE
from recpair.denoising.t_ce import TCE, without_largest
from recpair.denoising.udt import UDT

N_EVENTS = 50


@pytest.fixture(params=sorted(DENOISERS))
def denoiser(request):
    return DENOISERS[request.param](N_EVENTS)


def a_pool(denoiser, queries=8, epoch=20, negatives=None, seed=0):
    generator = torch.Generator().manual_seed(seed)
    losses = torch.rand(queries, denoiser.candidates, generator=generator)
    rows = torch.randint(N_EVENTS, losses.shape, generator=generator)
    drawn = None if negatives is None else torch.rand(queries, negatives, generator=generator)
    return Pool(losses, rows, epoch, drawn)


def test_what_is_remembered_of_events_is_in_buffers(denoiser):
    if isinstance(denoiser, nn.Module):
        assert {tensor.shape for tensor in denoiser.state_dict().values()} == {(N_EVENTS,)}
        before = {name: t.clone() for name, t in denoiser.state_dict().items()}
        denoiser.choose(a_pool(denoiser))
        assert any(not torch.equal(before[name], t) for name, t in denoiser.state_dict().items())


def adaptive(golden):
    """The authors' batch: 8 positives and 4 negatives, as 4 queries of two positives and one negative."""
    numbers = golden("adaptive_denoising")
    logits, labels = torch.tensor(numbers["logits"]), torch.tensor(numbers["labels"])
    positive, negative = logits[labels == 1], logits[labels == 0]
    pool = Pool(softplus(-positive).view(4, 2), torch.arange(8).view(4, 2), 10, softplus(negative).view(4, 1))
    return numbers, pool, softplus(negative)


def test_t_ce_drops_what_the_authors_drop(golden):
    """3 of 12 samples at a rate of 0.25; the mean is over the 9 that are kept."""
    numbers, pool, negatives = adaptive(golden)
    assert numbers["t_ce"]["drop_rate"] == 0.25
    weights = TCE(drop_rate=0.25, grow_epochs=1).choose(pool).weights
    kept = [i for i in range(8) if weights.flatten()[i] == 1] + [8, 9, 10, 11]
    assert sorted(kept) == numbers["t_ce"]["kept"]
    total = (pool.losses * weights).sum() + negatives.sum()
    assert (total / len(kept)).item() == pytest.approx(numbers["t_ce"]["loss"], rel=1e-5)


def test_r_ce_weighs_as_the_authors_do(golden):
    numbers, pool, negatives = adaptive(golden)
    choice = RCE(alpha=numbers["r_ce"]["alpha"]).choose(pool)
    total = (pool.losses * choice.weights).sum() + (negatives * choice.negative_weights.flatten()).sum()
    assert (total / 12).item() == pytest.approx(numbers["r_ce"]["loss"], rel=1e-5)


def test_r_ce_weights_are_powers_of_the_sigmoid():
    scores = torch.tensor([[2.0], [-1.0]])
    pool = Pool(softplus(-scores), torch.zeros(2, 1, dtype=torch.long), 1, softplus(scores))
    choice = RCE(alpha=0.5).choose(pool)
    torch.testing.assert_close(choice.weights, scores.sigmoid().sqrt())
    torch.testing.assert_close(choice.negative_weights, (1 - scores.sigmoid()).sqrt())


def test_the_dropped_share_grows():
    t_ce = TCE(drop_rate=0.4, grow_epochs=4)
    assert [t_ce.rate(epoch) for epoch in (1, 2, 4, 9)] == pytest.approx([0.1, 0.2, 0.4, 0.4])
    losses = torch.arange(10.0)[:, None]
    weights = t_ce.choose(Pool(losses, torch.zeros(10, 1, dtype=torch.long), 9)).weights
    assert weights.flatten().tolist() == [1.0] * 6 + [0.0] * 4
    assert without_largest(losses, 0).sum() == 10


def test_udt_is_the_expectation_of_pld():
    losses = torch.rand(4, 5, generator=torch.Generator().manual_seed(1))
    pool = Pool(losses, torch.zeros(4, 5, dtype=torch.long), 10)
    choice = UDT(temperature=0.3).choose(pool)
    torch.testing.assert_close(choice.weights, 5 * PLD(temperature=0.3).log_probabilities(losses).exp())
    torch.testing.assert_close(choice.weights.sum(1), torch.full((4,), 5.0))
    assert choice.columns.tolist() == [[0, 1, 2, 3, 4]] * 4


def test_pld_anneals_geometrically():
    pld = PLD(temperature=1.0, final_temperature=0.01, start_epoch=5, anneal_epochs=10)
    assert [pld.temperature_at(epoch) for epoch in (1, 6, 11, 16, 99)] == pytest.approx([1, 1, 0.1, 0.01, 0.01])
    assert PLD(temperature=0.2).temperature_at(99) == 0.2


def test_dcf_drops_by_the_bound_of_the_damped_mean():
    """Visits of losses 1 and 3: (log(1 + 1 + 0.5) + log(1 + 3 + 4.5)) / 2; the longer seen, the tighter the bound."""
    dcf = DCF(3, drop_rate=1 / 3, relabel_rate=0.0, variance=0.5, grow_epochs=1, start_epoch=0)
    rows = torch.tensor([[0], [1], [2]])
    dcf.choose(Pool(torch.tensor([[1.0], [0.2], [0.1]]), rows, 1))
    choice = dcf.choose(Pool(torch.tensor([[3.0], [0.2], [0.1]]), rows, 2))
    assert choice.weights.flatten().tolist() == [0, 1, 1]
    expected = (np.log(2.5) + np.log(8.5)) / 2
    assert (dcf.sums / dcf.visits)[0].item() == pytest.approx(expected)


def test_dcf_relabels_only_where_the_loss_is_a_sum():
    dcf = DCF(10, drop_rate=0.5, relabel_rate=0.1, grow_epochs=1, start_epoch=0)
    rows, losses = torch.arange(10)[:, None], torch.arange(10.0)[:, None]
    choice = dcf.choose(Pool(losses, rows, 1, torch.ones(10, 1)))
    assert choice.relabelled.flatten().tolist() == [False] * 9 + [True]
    assert choice.weights.flatten().tolist() == [1.0] * 5 + [0.0] * 4 + [1.0]
    assert dcf.choose(Pool(losses, rows, 1)).relabelled is None


def test_dbpm_down_weighs_both_ends():
    """99 pairs of loss 1 and two outliers 0 and 2: z = ±√(101 / 2), far beyond β."""
    losses = torch.ones(101, 1)
    losses[0], losses[100] = 0.0, 2.0
    weights = DBPM(101).choose(Pool(losses, torch.arange(101)[:, None], 9)).weights.flatten()
    expected = np.exp(-(101 / 2) / 2)
    assert weights[[0, 100]].tolist() == pytest.approx([expected, expected], rel=1e-3)
    assert weights[1:100].tolist() == [1.0] * 99
