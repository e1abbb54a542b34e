"""InfoNCE against the authors' numbers, the sampled softmax, a loop over pairs, and finite differences."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recpair.losses.sampled_softmax import sampled_softmax
from recpair.terms.contrast.info_nce import info_nce


def two_views(n, dim=4, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, n, dim, generator=generator, dtype=dtype).unbind(0)


@pytest.mark.parametrize("temperature", [0.1, 0.5, 1.0])
@pytest.mark.parametrize(("similarity", "theirs"), [("dot", "dot"), ("cosine", "cos")])
def test_the_authors_numbers(golden, similarity, theirs, temperature):
    numbers = golden("sra_cl")
    view_1, view_2 = torch.tensor(numbers["view_1"]), torch.tensor(numbers["view_2"])
    loss = info_nce(view_1, view_2, temperature=temperature, similarity=similarity)
    assert loss.item() == pytest.approx(numbers["loss"][f"{theirs}@{temperature}"], rel=1e-5)


@given(n=st.integers(2, 7), temperature=st.floats(0.1, 2), seed=st.integers(0, 100))
@settings(deadline=None, max_examples=25)
def test_it_is_the_sampled_softmax_of_two_views(n, temperature, seed):
    view_1, view_2 = two_views(n, seed=seed)
    both = torch.cat([view_1, view_2])
    scores = both @ both.T
    i = torch.arange(2 * n)
    pos = scores[i, (i + n) % (2 * n)].unsqueeze(1)
    neg = torch.stack([scores[k][(i != k) & (i != (k + n) % (2 * n))] for k in range(2 * n)])
    expected = sampled_softmax(pos, neg, temperature=temperature).mean()
    torch.testing.assert_close(info_nce(view_1, view_2, temperature=temperature), expected)


def by_loop(view_1, view_2, temperature, same, weights):
    """Weighted InfoNCE of 2n vectors, pair by pair."""
    n = len(view_1)
    vectors = [*view_1, *view_2]
    total = 0.0
    for i in range(2 * n):
        candidates = [j for j in range(2 * n) if j != i and (j % n == i % n or not same[i % n][j % n])]
        exponentials = {j: math.exp(float(vectors[i] @ vectors[j]) / temperature) for j in candidates}
        shares = {j: float(weights[i % n][j % n]) for j in candidates}
        for j in candidates:
            total -= shares[j] / sum(shares.values()) * math.log(exponentials[j] / sum(exponentials.values()))
    return total / (2 * n)


@given(n=st.integers(1, 5), seed=st.integers(0, 100))
@settings(deadline=None, max_examples=25)
def test_masks_and_weights_against_a_loop(n, seed):
    view_1, view_2 = two_views(n, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    same = torch.rand(n, n, generator=generator) < 0.4
    same = same | same.T
    weights = torch.rand(n, n, generator=generator, dtype=torch.float64) + 0.01
    loss = info_nce(view_1, view_2, temperature=0.7, same=same, weights=weights)
    assert loss.item() == pytest.approx(by_loop(view_1, view_2, 0.7, same, weights), rel=1e-9, abs=1e-12)
    plain = info_nce(view_1, view_2, temperature=0.7, same=same)
    identity = torch.eye(n, dtype=torch.float64)
    assert plain.item() == pytest.approx(by_loop(view_1, view_2, 0.7, same, identity), rel=1e-9, abs=1e-12)


def test_all_weight_on_the_diagonal_is_info_nce():
    view_1, view_2 = two_views(6)
    weighted = info_nce(view_1, view_2, weights=torch.eye(6, dtype=torch.float64))
    torch.testing.assert_close(weighted, info_nce(view_1, view_2))


def test_a_false_negative_has_no_gradient_from_its_like():
    view_1, view_2 = two_views(3)
    same = torch.ones(3, 3, dtype=torch.bool)
    assert info_nce(view_1, view_2, same=same).item() == 0  # nobody is left to be told apart from


@pytest.mark.parametrize("similarity", ["dot", "cosine"])
@pytest.mark.parametrize("weighted", [False, True])
def test_gradients_against_finite_differences(similarity, weighted):
    view_1, view_2 = (v.requires_grad_() for v in two_views(4))
    same = torch.eye(4, dtype=torch.bool).roll(1, 0)
    same = same | same.T
    weights = torch.rand(4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) if weighted else None
    torch.autograd.gradcheck(
        lambda a, b: info_nce(a, b, temperature=0.5, similarity=similarity, same=same, weights=weights),
        (view_1, view_2),
    )


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_to_compare_give_zero_with_a_gradient(n):
    view_1, view_2 = (v.requires_grad_() for v in two_views(n))
    loss = info_nce(view_1, view_2)
    loss.backward()
    assert loss.item() == 0
    assert view_1.grad.abs().sum() == 0


def test_large_similarities_stay_finite():
    view_1, view_2 = (1e4 * v for v in two_views(5))
    assert torch.isfinite(info_nce(view_1, view_2, temperature=0.01))
