"""DNS: the best of M, the law of its draw, and that it trains with every model and loss."""

import pytest
import torch

import recpair
from recpair.experiment.requirements import needs
from recpair.losses import LOSSES, kind_of
from recpair.mining import MINERS, Miner
from recpair.mining.dns import DNS

OVER_CATALOGUE = {name for name, loss in LOSSES.items() if "catalogue" in needs(loss)}
OF_PAIRS = {name for name, loss in LOSSES.items() if kind_of(loss) == "Q P"}


@pytest.mark.parametrize("name", sorted(MINERS))
def test_an_answer_has_one_candidate_of_each_group(name):
    miner = MINERS[name](candidates=4)
    assert isinstance(miner, Miner)
    columns = miner.choose(torch.rand(6, 12))
    assert (columns // 4).tolist() == [[0, 1, 2]] * 6


def test_the_best_scored_candidate_trains():
    scores = torch.tensor([[0.0, 3.0, 1.0, 5.0, 4.0, 6.0]])
    assert DNS(candidates=3).choose(scores).tolist() == [[1, 5]]
    assert DNS(candidates=6).choose(scores).tolist() == [[5]]
    assert DNS(candidates=1).choose(scores).tolist() == [[0, 1, 2, 3, 4, 5]]


def test_the_draw_is_a_softmax():
    """100,000 draws: the standard error of a share is at most 0.0016."""
    torch.manual_seed(0)
    scores = torch.tensor([0.0, 1.0, 2.0])
    drawn = DNS(candidates=3, temperature=0.5).choose(scores.expand(100_000, -1)).flatten()
    shares = torch.bincount(drawn, minlength=3) / 100_000
    assert shares.tolist() == pytest.approx(torch.softmax(scores / 0.5, 0).tolist(), abs=0.008)


def test_a_share_stays_uniform():
    torch.manual_seed(0)
    columns = DNS(candidates=2, share=0.25).choose(torch.tensor([[0.0, 1.0]]).expand(20_000, -1))
    assert columns.float().mean().item() == pytest.approx(0.25, abs=0.015)


@pytest.mark.parametrize("loss", sorted(OF_PAIRS - OVER_CATALOGUE))
@pytest.mark.parametrize("model", ["mf", "lightgcn", "neumf"])
def test_it_trains_with_every_model_and_loss(loss, model, checkerboard, quick):
    quick |= {
        "model": {"name": model, "embedding_dim": 8},
        "loss": loss,
        "hard_negatives": {"name": "dns", "candidates": 3},
    }
    run = recpair.fit(quick, ["train.epochs=2"], data=checkerboard)
    assert run.metrics["epochs"] == 2


def test_it_needs_negatives(checkerboard, quick):
    quick |= {"loss": "softmax", "hard_negatives": "dns"}
    quick["sampler"]["negatives"] = "all"
    with pytest.raises(recpair.RecpairError, match=r"hard_negatives\.name is dns, but sampler\.negatives is 'all'"):
        recpair.fit(quick, data=checkerboard)
