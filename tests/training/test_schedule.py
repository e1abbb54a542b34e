"""How the learning rate falls."""

from typing import get_args

import pytest
import torch

import recpair
from recpair.training.schedule import Decay, share_left


@pytest.mark.parametrize("decay", get_args(Decay))
def test_the_rate_falls_from_whole_to_nothing(decay):
    shares = [share_left(decay, done / 10, 10) for done in range(101)]
    assert shares[0] == 1.0
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] == pytest.approx(1.0 if decay == "none" else 0.0)
    assert shares[50] == pytest.approx(1.0 if decay == "none" else 0.5)


@pytest.mark.parametrize("decay", ["linear", "cosine"])
def test_the_rates_are_those_of_torch(decay):
    """Oracle: torch's own schedulers, stepped once an epoch."""
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
    kinds = torch.optim.lr_scheduler
    scheduler = {
        "linear": lambda: kinds.LinearLR(optimiser, start_factor=1.0, end_factor=0.0, total_iters=8),
        "cosine": lambda: kinds.CosineAnnealingLR(optimiser, T_max=8),
    }[decay]()
    for epoch in range(8):
        assert 0.5 * share_left(decay, epoch, 8) == pytest.approx(scheduler.get_last_lr()[0])
        optimiser.step()
        scheduler.step()


def test_every_step_has_the_rate_of_its_place_in_the_run(checkerboard, quick, monkeypatch):
    """720 training pairs in batches of 256 are 3 steps an epoch."""
    rates = []
    monkeypatch.setattr("recpair.training.loop.set_rate", lambda optimiser, rate: rates.append(rate))
    recpair.fit(quick, ["train.epochs=2", "train.learning_rate=0.6", "train.decay=linear"], data=checkerboard)
    assert rates == pytest.approx([0.6, 0.5, 0.4, 0.3, 0.2, 0.1])


class Interruption:
    """Ends the run after its second epoch, as Ctrl-C would."""

    def step(self, epoch, done, steps):
        if epoch == 3:
            raise KeyboardInterrupt

    def epoch(self, number, values):
        if number == 3:
            raise KeyboardInterrupt


def test_an_interrupted_run_goes_on_with_the_rates_of_an_undisturbed_one(checkerboard, quick, tmp_path):
    quick["train"] |= {"epochs": 5, "decay": "cosine", "checkpoint_every": 2}
    whole = recpair.fit(quick, data=checkerboard).recommender.model.state_dict()
    quick["output"] = str(tmp_path / "halves")
    with pytest.raises(KeyboardInterrupt):
        recpair.fit(quick, data=checkerboard, log=Interruption())
    resumed = recpair.fit(quick, data=checkerboard, resume=True).recommender.model.state_dict()
    assert all(torch.equal(whole[name], tensor) for name, tensor in resumed.items())


def test_a_decaying_run_is_not_prolonged(checkerboard, quick):
    """Its earlier epochs would have had other rates."""
    quick["train"]["decay"] = "linear"
    recpair.fit(quick, data=checkerboard)
    with pytest.raises(recpair.RecpairError, match=r"train\.epochs is 9, .* was started with 5"):
        recpair.fit(quick, ["train.epochs=9"], data=checkerboard, resume=True)
