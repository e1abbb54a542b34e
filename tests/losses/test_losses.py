"""Contract of every registered loss, golden numbers, and identities between them."""

import inspect

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import logsigmoid

from recpair.losses import LOSSES
from recpair.losses.bce import bce
from recpair.losses.bpr import bpr
from recpair.losses.sampled_softmax import sampled_softmax


def scores(queries=7, positives=4, negatives=3, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    draw = lambda columns: torch.randn(queries, columns, generator=generator, dtype=dtype)  # noqa: E731
    return draw(positives), draw(negatives)


@pytest.fixture(params=sorted(LOSSES))
def loss(request):
    return LOSSES[request.param]


def test_the_result_has_a_loss_for_every_candidate(loss):
    pos, neg = scores()
    assert loss(pos, neg).shape == pos.shape
    assert torch.isfinite(loss(pos, neg)).all()


def test_a_column_depends_on_its_own_candidate_alone(loss):
    pos, neg = scores()
    together = loss(pos, neg)
    apart = torch.cat([loss(pos[:, [p]], neg) for p in range(pos.shape[1])], dim=1)
    torch.testing.assert_close(together, apart, rtol=1e-14, atol=1e-14)


def test_a_better_positive_costs_less_and_a_better_negative_more(loss):
    pos, neg = scores()
    assert (loss(pos + 0.5, neg) < loss(pos, neg)).all()
    assert (loss(pos, neg + 0.5) > loss(pos, neg)).all()


def test_extreme_gaps_stay_finite_and_keep_their_gradient(loss):
    """At a gap of −10,000 the loss is about 10,000 nats, and one more point of score saves one nat."""
    pos = torch.full((1, 1), -5000.0, requires_grad=True)
    value = loss(pos, torch.full((1, 1), 5000.0))
    value.sum().backward()
    assert torch.isfinite(value).all()
    assert pos.grad.item() == pytest.approx(-1.0)
    assert loss(torch.full((1, 1), 5000.0), torch.full((1, 1), -5000.0)).item() == 0.0


def test_gradients_agree_with_differences(loss):
    pos, neg = (t.requires_grad_() for t in scores(queries=3))
    assert torch.autograd.gradcheck(loss, (pos, neg))


def test_options_are_keyword_only(loss):
    positional = [p for p in inspect.signature(loss).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert [p.name for p in positional] == ["pos", "neg"]


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
