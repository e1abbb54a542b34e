"""Training that diverges: found before anything is saved, and the advice can be followed."""

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import save_file

import recpair
from recpair.errors import ConfigError, TrainingError
from recpair.files import read_tensors


def test_without_a_checkpoint_the_message_names_step_and_rate(checkerboard, quick):
    with pytest.raises(
        TrainingError, match=r"epoch \d+, step \d+, at learning rate 1e\+30; train again with a lower train\.learn"
    ):
        recpair.fit(quick, ["train.learning_rate=1e30", "loss=bce"], data=checkerboard)


def test_the_advice_works(checkerboard, quick):
    """From the last good checkpoint, at a lower rate; the epochs before keep their numbers and their rate."""
    quick["train"]["checkpoint_every"] = 1
    first = recpair.fit(quick, ["train.epochs=2"], data=checkerboard).history
    with pytest.raises(
        TrainingError, match=r"epoch 3.*last good checkpoint, .*last\.safetensors \(epoch 2\), with --re"
    ):
        recpair.fit(quick, ["train.epochs=6", "train.learning_rate=1e37"], data=checkerboard, resume=True)
    run = recpair.fit(quick, ["train.epochs=6", "train.learning_rate=0.01"], data=checkerboard, resume=True)
    rates = run.history.filter(pl.col("metric") == "train/learning_rate")
    assert rates["value"].to_list() == [0.05, 0.05, 0.01, 0.01, 0.01, 0.01]
    both = (h.filter((pl.col("metric") == "train/loss") & (pl.col("epoch") <= 2)) for h in (run.history, first))
    assert next(both).equals(next(both))
    assert run.config["train"]["learning_rate"] == 0.01


def test_a_complete_run_gets_no_other_rate_in_retrospect(checkerboard, quick):
    recpair.fit(quick, data=checkerboard)
    with pytest.raises(ConfigError, match=r"train\.learning_rate is 0\.5, but .* is complete; raise train\.epochs"):
        recpair.fit(quick, ["train.learning_rate=0.5"], data=checkerboard, resume=True)


def test_weights_that_are_not_finite_are_never_saved(checkerboard, quick):
    """The loss of the only step is that before its update, so the weights must be looked at themselves."""
    quick["train"] |= {"epochs": 1, "learning_rate": 1e37, "weight_decay": 1e3}
    quick["sampler"]["batch_size"] = 10_000
    with pytest.raises(TrainingError, match="weights became NaN or infinite in epoch 1"):
        recpair.fit(quick, data=checkerboard)


def test_a_checkpoint_of_no_use_says_so(checkerboard, quick):
    """Its weights are finite, the scores that they give are not."""
    quick["train"] |= {"epochs": 1, "checkpoint_every": 1}
    run = recpair.fit(quick, data=checkerboard)
    path = run.folder / "checkpoint" / "last.safetensors"
    tensors, metadata = read_tensors(path)
    older = {"progress": metadata["progress"]}  # without a checksum
    save_file({k: t * 1e36 if k.startswith("module/model") else t for k, t in tensors.items()}, path, older)
    with pytest.raises(
        TrainingError, match=r"\(epoch 1\) give a loss that is NaN or infinite; train again without --r"
    ):
        recpair.fit(quick, ["train.epochs=3"], data=checkerboard, resume=True)


@pytest.mark.parametrize("extra", [{}, {"evaluate.trim": 0.2}, {"loss": "bce", "denoise": None}, {"model": "sasrec"}])
@pytest.mark.parametrize("rate", [1e15, 1e30])
def test_any_huge_rate_ends_in_one_line_or_in_a_run(checkerboard, quick, extra, rate):
    quick |= {"noise": {"ratio": 0.1}, "denoise": {"name": "pld", "start_epoch": 0}, "hard_negatives": "dns"}
    quick["train"] |= {"epochs": 1, "learning_rate": rate, "audit_from": 1}
    overrides = [f"{key}={'null' if value is None else value}" for key, value in extra.items()]
    if "model" in extra:
        quick |= {"model": {"name": "sasrec", "embedding_dim": 8}, "sampler": {"name": "sequences"}}
        overrides, checkerboard = [], checkerboard.with_columns(timestamp=pl.int_range(pl.len()))
    try:
        run = recpair.fit(quick, overrides, data=checkerboard)
    except TrainingError as error:
        message = str(error)
    else:
        message = "learning_rate"
        assert all(np.isfinite(value) for value in run.metrics["test"].values())
        assert all(torch.isfinite(t).all() for t in run.model.state_dict().values())
    assert "learning_rate" in message
    assert len(message) <= 400
