"""Contract of every registered loss, golden numbers, and identities between them."""

import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import logsigmoid, softplus

from recpair.losses import LOSSES, Pointwise, kind_of
from recpair.losses.bce import bce
from recpair.losses.bpr import bpr
from recpair.losses.gbce import beta, gbce
from recpair.losses.hinge import hinge
from recpair.losses.mw import mw
from recpair.losses.sampled_softmax import sampled_softmax
from recpair.losses.softmax import softmax


def scores(queries=7, positives=4, negatives=3, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    draw = lambda columns: torch.randn(queries, columns, generator=generator, dtype=dtype)  # noqa: E731
    return draw(positives), draw(negatives)


@pytest.fixture(params=sorted(name for name, loss in LOSSES.items() if kind_of(loss) == "Q P"))
def loss(request):
    return LOSSES[request.param]


def test_a_better_positive_costs_less_and_a_better_negative_more(loss):
    pos, neg = scores()
    value, better, worse = loss(pos, neg), loss(pos + 0.5, neg), loss(pos, neg + 0.5)
    falls, rises = better < value, worse > value
    if loss is hinge:  # flat once every gap is above the margin
        assert (falls | (value == 0)).all()
        assert (rises | (worse == 0)).all()
    else:
        assert falls.all()
        assert rises.all()


def test_extreme_gaps_stay_finite_and_keep_their_gradient(loss):
    """At a gap of −10,000 the loss is about 10,000 nats, and one more point of score saves one (gBCE: β of one)."""
    pos = torch.full((1, 1), -5000.0, requires_grad=True)
    value = loss(pos, torch.full((1, 1), 5000.0))
    value.sum().backward()
    assert torch.isfinite(value).all()
    assert pos.grad.item() == pytest.approx(-1.0)
    if loss is not softmax:  # there the positive is among the scores of the catalogue
        assert loss(torch.full((1, 1), 5000.0), torch.full((1, 1), -5000.0)).item() == 0.0


def test_bpr_and_bce_give_the_authors_numbers(golden):
    numbers = golden("pld")
    pos, neg = torch.tensor(numbers["pos_scores"]), torch.tensor(numbers["neg_scores"])
    torch.testing.assert_close(bpr(pos, neg), torch.tensor(numbers["bpr_losses"]), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(bce(pos, neg), torch.tensor(numbers["bce_losses"]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("similarity", ["dot", "cos"])
@pytest.mark.parametrize("temperature", [0.1, 0.5, 1.0])
def test_info_nce_is_sampled_softmax_of_two_views(golden, similarity, temperature):
    """Each of the 2B vectors has its partner as positive and the other 2B − 2 as negatives."""
    numbers = golden("sra_cl")
    z = torch.tensor(numbers["view_1"] + numbers["view_2"], dtype=torch.float64)
    if similarity == "cos":
        z = torch.nn.functional.normalize(z, dim=1)
    n = len(z)
    similarities = z @ z.T
    partner = (torch.arange(n) + n // 2) % n
    others = torch.tensor([[j for j in range(n) if j not in (i, partner[i])] for i in range(n)])
    pos, neg = similarities.gather(1, partner[:, None]), similarities.gather(1, others)
    expected = numbers["loss"][f"{similarity}@{temperature}"]
    assert sampled_softmax(pos, neg, temperature=temperature).mean().item() == pytest.approx(expected, rel=1e-5)


def test_naive_loops():
    pos, neg = scores()
    for q in range(pos.shape[0]):
        for p in range(pos.shape[1]):
            gaps = [pos[q, p] - n for n in neg[q]]
            naive_bpr = sum(-logsigmoid(gap) for gap in gaps) / len(gaps)
            naive_bce = -logsigmoid(pos[q, p]) - sum(torch.log(1 - torch.sigmoid(n)) for n in neg[q])
            naive_softmax = -torch.log(pos[q, p].exp() / (pos[q, p].exp() + neg[q].exp().sum()))
            torch.testing.assert_close(bpr(pos, neg)[q, p], naive_bpr)
            torch.testing.assert_close(bce(pos, neg)[q, p], naive_bce)
            torch.testing.assert_close(sampled_softmax(pos, neg)[q, p], naive_softmax)


@given(st.floats(-50, 50), st.floats(-50, 50))
def test_softmax_over_one_negative_is_bpr(positive, negative):
    pos, neg = torch.tensor([[positive]], dtype=torch.float64), torch.tensor([[negative]], dtype=torch.float64)
    torch.testing.assert_close(sampled_softmax(pos, neg), bpr(pos, neg))


def test_gbce_has_the_published_beta_and_bce_at_one_end():
    """k 256, I 3,417, t 0.75 → β 0.306206 (gSASRec); t = 0 is BCE; t = 1 gives α = N / (I − 1)."""
    assert beta(256, 3417, 0.75) == pytest.approx(0.306206, abs=1e-6)
    assert beta(256, 3417, 0.0) == 1.0
    assert beta(256, 3417, 1.0) == pytest.approx(256 / 3416)
    pos, neg = scores()
    torch.testing.assert_close(gbce(pos, neg, 100, calibration=0.0), bce(pos, neg))


def test_hinge_and_mw_in_naive_loops():
    pos, neg = scores()
    for q in range(pos.shape[0]):
        for p in range(pos.shape[1]):
            gaps = [max(0.0, 0.5 - (pos[q, p] - n).item()) for n in neg[q]]
            assert hinge(pos, neg, margin=0.5)[q, p].item() == pytest.approx(np.mean(gaps))
            everybody = [-logsigmoid(pos[q, p] - n).item() for n in neg.flatten()]
            assert mw(pos, neg)[q, p].item() == pytest.approx(np.mean(everybody))


def test_bpr_is_blind_to_a_users_shift_and_mw_is_not():
    pos, neg = scores()
    shift = torch.arange(7.0, dtype=torch.float64).unsqueeze(1)
    torch.testing.assert_close(bpr(pos + shift, neg + shift), bpr(pos, neg))
    assert (mw(pos + shift, neg + shift) - mw(pos, neg)).abs().min() > 0


def test_mw_bounds_the_pooled_auc():
    """1 − AUC over all pairs ≤ L / log 2."""
    pos, neg = scores(queries=40, positives=1)
    wrong = (pos.flatten()[:, None] < neg.flatten()).double().mean()
    assert wrong <= mw(pos, neg).mean() / np.log(2)


def test_softmax_is_cross_entropy_whole_or_by_its_partition():
    catalogue = scores(negatives=50)[1]
    items = torch.tensor([[3], [0], [49], [7], [7], [20], [1]])
    expected = torch.nn.functional.cross_entropy(catalogue, items.squeeze(1), reduction="none")
    torch.testing.assert_close(softmax(catalogue.gather(1, items), catalogue).squeeze(1), expected)
    partition = catalogue.logsumexp(1, keepdim=True)
    torch.testing.assert_close(softmax(catalogue.gather(1, items), partition).squeeze(1), expected)


@pytest.mark.parametrize("name", sorted(name for name, loss in LOSSES.items() if isinstance(loss, Pointwise)))
def test_pointwise_losses_without_negatives_are_the_positives_part(name):
    pos, neg = scores()
    nothing = neg[:, :0]
    assert LOSSES[name](pos, nothing).shape == pos.shape
    torch.testing.assert_close(bce(pos, neg) - bce(pos, nothing), softplus(neg).sum(1, keepdim=True).expand_as(pos))


def by_torch(pos, neg):
    return softplus(torch.logsumexp(neg / 0.2, dim=-1, keepdim=True) - pos / 0.2)


def test_rows_of_sampled_softmax_are_taken_some_at_a_time(monkeypatch):
    """Oracle: torch's own logsumexp; the last share of rows is not full, one score is as low as a masked one."""
    monkeypatch.setattr(sys.modules[sampled_softmax.__module__], "CACHED", 7)
    pos, neg = (part.requires_grad_() for part in scores(queries=8))
    low = torch.finfo(torch.float32).min / 64
    found = []
    for function in (lambda p, n: sampled_softmax(p, n, temperature=0.2), by_torch):
        value = function(pos, torch.where(torch.arange(3) == 1, low, neg))
        found.append((value, *torch.autograd.grad(value.sum(), (pos, neg))))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)
