"""Losses of a trained model."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

import numpy as np
import polars as pl
import torch
from jaxtyping import Float
from torch import Tensor

from recpair.batch import Batch
from recpair.data.histories import Histories
from recpair.data.interactions import Interactions
from recpair.models import SequenceModel
from recpair.sampling.pairs import PairSampler, Sampler
from recpair.sampling.sequences import SequenceSampler
from recpair.seeds import derive, restart
from recpair.training.divergence import require_finite
from recpair.training.objective import Objective

LOOK_AT = 20_000  # queries whose pools are shown in the plot of a denoiser's choices


@torch.no_grad()
def pool_losses(objective: Objective, sampler: Sampler, epoch: int, seed: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Return losses (nats) of the candidates that the denoiser chooses and rejects, under the final model."""
    if objective.denoiser is None or objective.denoiser.candidates == 1:
        return None
    restart(derive(seed, epoch, 1))
    device = next(objective.parameters()).device
    chosen, passed, seen = [], [], 0
    for batch in sampler.epoch(epoch):
        batch = batch.to(device)
        losses, choice = objective.inspect(batch, epoch)
        require_finite(losses)
        mask = torch.zeros_like(losses, dtype=torch.bool).scatter_(1, choice.columns, True)
        chosen.append(losses[mask].cpu().numpy())
        passed.append(losses[~mask].cpu().numpy())
        seen += len(batch)
        if seen >= LOOK_AT:
            break
    return (np.concatenate(chosen), np.concatenate(passed)) if passed and sum(map(len, passed)) else None


def held_out_losses(objective: Objective, held_out: Interactions, train_part: Interactions, seed: int) -> np.ndarray:
    """Return the loss (nats) of each held-out event (E,) under the current model, with one fixed uniform negative each.

    Sequence models read the training events before the user's first held-out event, as in the evaluation.
    """
    histories = Histories((train_part,), held_out)
    pairs = PairSampler(held_out, 1, derive(seed, 0, 3), (train_part,), batch_size=8192).epoch(1)
    known = (replace(batch, history=objective.model.batch_of(batch.user, histories).history) for batch in pairs)
    return _losses(objective, known, len(held_out)).numpy()


@torch.no_grad()
def _losses(objective: Objective, batches: Iterable[Batch], n_events: int) -> Float[Tensor, "E"]:
    device = next(objective.parameters()).device
    out = torch.full((n_events,), torch.nan)
    for batch in batches:
        losses, _ = objective.inspect(batch.to(device), 0)
        out[batch.rows.flatten()] = require_finite(losses).flatten().float().cpu()
    return out


def _every_follower(train_part: Interactions, model: SequenceModel, seed: int) -> Sampler:
    examples: Literal["positions", "prefixes"] = "positions" if model.every_place else "prefixes"
    return SequenceSampler(train_part, 1, seed, model.history_length, examples=examples, batch_size=1024)


@torch.no_grad()
def event_losses(objective: Objective, train_part: Interactions, seed: int) -> pl.DataFrame:
    """Return each event's training statistics and its loss (nats) under the final model, with one uniform negative.

    For a sequence model, the first event of a history has no loss: NaN.
    """
    memory, model, seed = objective.memory, objective.model, derive(seed, 0, 2)
    assert memory is not None
    every_event: Sampler = (
        _every_follower(train_part, model, seed)
        if isinstance(model, SequenceModel)
        else PairSampler(train_part, 1, seed, batch_size=8192)
    )
    # In 64 bits on the CPU: not every device supports them.
    final = _losses(objective, every_event.epoch(1), len(train_part)).numpy().astype(np.float64)
    sums, squares, drawn, chosen = memory.kept.cpu().numpy().astype(np.float64).T
    visits = np.maximum(drawn, 1)
    mean = np.where(drawn > 0, sums / visits, final)
    spread = np.sqrt(np.maximum(squares / visits - (sums / visits) ** 2, 0))
    columns = {"mean_loss": mean, "loss_sd": spread, "visits": drawn, "chosen": chosen, "final_loss": final}
    return pl.DataFrame({name: np.ascontiguousarray(column) for name, column in columns.items()})
