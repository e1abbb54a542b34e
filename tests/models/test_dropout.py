"""Dropout: the share, the mean, the gradient, and that nothing happens outside training."""

import pytest
import torch

from recpair.models.dropout import dropout
from recpair.models.transformer import Attention, Packing
from recpair.seeds import isolated


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5, 0.9])
def test_the_share_and_the_mean(rate):
    """A million independent draws: 5 standard deviations of their share."""
    with isolated(0):
        out = dropout(torch.ones(1000, 1000), rate, training=True)
    allowed = 5 * (rate * (1 - rate) / 1e6) ** 0.5
    assert (out == 0).float().mean().item() == pytest.approx(rate, abs=allowed + 1e-5)
    torch.testing.assert_close(out[out != 0], torch.full_like(out[out != 0], 1 / (1 - rate)), rtol=1e-4, atol=0)


def test_neighbours_are_independent():
    """Four elements share a draw; whether one is dropped says nothing of the next three."""
    with isolated(0):
        kept = (dropout(torch.ones(1_000_000), 0.5, training=True) != 0).float()
    for distance in (1, 2, 3, 4):
        together = (kept[:-distance] * kept[distance:]).mean().item()
        assert together == pytest.approx(0.25, abs=5 * (0.25 * 0.75 / 1e6) ** 0.5)


def test_the_gradient_passes_where_the_value_does():
    x = torch.randn(7, 5, dtype=torch.float64, requires_grad=True)
    out = dropout(x, 0.4, training=True)
    out.sum().backward()
    torch.testing.assert_close(x.grad * x.detach(), out.detach())


def test_nothing_happens_outside_training_or_at_rate_zero():
    x = torch.randn(3, 4)
    assert dropout(x, 0.5, training=False) is x
    assert dropout(x, 0.0, training=True) is x


@pytest.mark.parametrize("history", [[[3, 1, 2], [4, 5, 6]], [[-1, -1, 2], [4, 5, 6]]])
def test_attention_with_a_dropout_of_next_to_nothing_is_attention_without(history):
    """The way that is taken in training gives what the fused kernel gives."""
    packing = Packing.of(torch.tensor(history))
    with isolated(0):
        attention = Attention(8, 2, 1e-9)
        x = packing.pack(torch.randn(2, 3, 8))
    torch.testing.assert_close(attention.train()(x, packing), attention.eval()(x, packing))
