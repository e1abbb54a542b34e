"""PLD against the authors' probabilities, the law of its draw, and its limits."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recpair.denoising import Pool
from recpair.denoising.pld import PLD
from recpair.losses.bce import bce
from recpair.losses.bpr import bpr

LOSSES = torch.tensor([[0.1, 0.2, 0.5, 1.0, 2.0]], dtype=torch.float64)


def pool(losses: torch.Tensor) -> Pool:
    return Pool(losses, torch.zeros(losses.shape, dtype=torch.long), 10)


def share_of_choices(pld: PLD, losses: torch.Tensor, draws: int = 200_000) -> torch.Tensor:
    torch.manual_seed(0)
    chosen = pld.choose(pool(losses.expand(draws, -1))).columns
    return torch.bincount(chosen.flatten(), minlength=losses.shape[1]) / draws


@pytest.mark.parametrize(
    ("temperature", "expected"),
    [
        (0.1, [0.721335, 0.265364, 0.013212, 0.000089, 0.0]),
        (0.5, [0.407211, 0.333396, 0.182972, 0.067312, 0.00911]),
        (1.0, [0.319357, 0.288966, 0.214071, 0.129841, 0.047766]),
    ],
)
def test_the_draw_follows_the_published_probabilities(temperature, expected):
    """200,000 draws: the standard error of a share is at most 0.0011, so 0.005 is over four of them."""
    pld = PLD(temperature=temperature)
    assert pld.log_probabilities(LOSSES).exp()[0].tolist() == pytest.approx(expected, abs=1e-6)
    assert share_of_choices(pld, LOSSES).tolist() == pytest.approx(expected, abs=0.005)


def test_golden_probabilities(golden):
    numbers = golden("pld")
    losses = torch.tensor(numbers["bpr_losses"], dtype=torch.float64)
    for temperature, expected in numbers["probabilities"].items():
        p = PLD(temperature=float(temperature)).log_probabilities(losses).exp()
        torch.testing.assert_close(p, torch.tensor(expected, dtype=torch.float64), rtol=1e-4, atol=1e-7)


@given(st.floats(0.05, 2.0), st.lists(st.floats(-4, 4), min_size=2, max_size=6), st.floats(-4, 4))
def test_probabilities_are_powers_of_the_sigmoid(temperature, positives, negative):
    """e^(−softplus(−x)/τ) = σ(x)^(1/τ): BPR with the gap, BCE with the score itself."""
    pos, neg = torch.tensor([positives], dtype=torch.float64), torch.tensor([[negative]], dtype=torch.float64)
    pld = PLD(temperature=temperature)
    for losses, x in ((bpr(pos, neg), pos - neg), (bce(pos, neg), pos)):
        power = torch.sigmoid(x) ** (1 / temperature)
        torch.testing.assert_close(pld.log_probabilities(losses).exp(), power / power.sum(), rtol=1e-6, atol=1e-12)


@given(st.floats(-5, 5))
def test_a_constant_added_to_all_losses_changes_nothing(constant):
    pld = PLD(temperature=0.3)
    torch.testing.assert_close(pld.log_probabilities(LOSSES + constant), pld.log_probabilities(LOSSES))


def test_limits_of_the_temperature():
    assert share_of_choices(PLD(temperature=1e6), LOSSES).tolist() == pytest.approx([0.2] * 5, abs=0.005)
    assert share_of_choices(PLD(temperature=1e-6), LOSSES).tolist() == [1.0, 0, 0, 0, 0]


def test_a_pool_of_one_is_plain_training():
    choice = PLD(candidates=1).choose(pool(torch.rand(8, 1)))
    assert choice.columns.tolist() == [[0]] * 8
    assert choice.weights is None


def test_statistics_of_a_uniform_pool():
    """Equal losses: entropy ln 5, effective size 5."""
    stats = PLD().choose(pool(torch.ones(3, 5, dtype=torch.float64))).stats
    assert stats["pool_entropy"].item() == pytest.approx(1.6094379)
    assert stats["pool_effective_size"].item() == pytest.approx(5.0)


def test_extreme_losses_stay_finite():
    choice = PLD(temperature=0.05).choose(pool(torch.tensor([[0.0, 5000.0], [5000.0, 0.0]])))
    assert choice.columns.tolist() == [[0], [1]]
    assert all(torch.isfinite(value) for value in choice.stats.values())
