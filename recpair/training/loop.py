"""The training loop of gradient models."""

import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import torch
from pydantic import Field
from torch import Tensor

from recpair.batch import Batch
from recpair.errors import TrainingError
from recpair.sampling.pairs import Sampler
from recpair.sampling.prefetch import prefetch
from recpair.seeds import derive, restart
from recpair.training.checkpoint import Checkpoint
from recpair.training.divergence import Divergence
from recpair.training.log import Log
from recpair.training.meters import Meters
from recpair.training.objective import Objective
from recpair.training.progress import Progress
from recpair.training.schedule import Decay, set_rate, share_left
from recpair.training.shared_sums import SharedSums

if TYPE_CHECKING:
    from lightning_fabric import Fabric

CHECK_EVERY = 100  # steps between checks of the loss: a check makes an accelerator wait


def train(
    objective: Objective,
    sampler: Sampler,
    validate: Callable[[], dict[str, float]],
    monitor: str | None,
    checkpoint: Checkpoint,
    log: Log,
    fabric: "Fabric",
    resume: bool = False,
    *,
    epochs: Annotated[int, Field(gt=0)] = 100,
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3,
    decay: Decay = "none",
    weight_decay: Annotated[float, Field(ge=0)] = 0.0,
    clip_norm: Annotated[float, Field(gt=0)] | None = None,
    patience: Annotated[int, Field(gt=0)] | None = 10,
    validate_every: Annotated[int, Field(gt=0)] = 1,
    checkpoint_every: Annotated[int, Field(gt=0)] = 5,
    seed: Annotated[int, Field(ge=0)] = 42,
) -> Progress:
    """Train with Adam for ``epochs``, or until ``patience`` validations in a row do not improve the monitored metric.

    At the end, the model has the weights of the best epoch, or of the last one without ``monitor``. Epochs count from
    1; all random numbers of epoch e depend on (seed, e) only, so a resumed run ends with the weights of an
    uninterrupted one. The weights are bitwise identical for any number of threads, except for SASRec (its metrics agree
    to six digits). ``weight_decay`` is AdamW's, off by default; ``clip_norm`` bounds the norm of the whole gradient.
    With ``decay`` the learning rate falls to 0 over all ``epochs``, regardless of early stopping.

    Training also ends after an epoch for which ``log`` returns True.

    In distributed runs, each of n ranks processes every n-th batch, an update uses the mean of the n gradients, and
    only rank 0 validates and writes checkpoints, which all ranks read.

    Raises:
        TrainingError: a loss or a weight became NaN or infinite, or there are fewer batches than processes.
    """
    module, optimiser = fabric.setup(objective, _adam(objective, fabric, learning_rate, weight_decay))
    progress = (checkpoint.restore(objective, optimiser) if resume else None) or Progress()
    _require_same(progress, checkpoint, fabric)
    divergence = Divergence(checkpoint, learning_rate, resumed_after=progress.epoch)
    shared, steps = SharedSums(objective, fabric), _steps(sampler, fabric)

    while progress.epoch < epochs and (patience is None or progress.stale < patience) and not progress.stopped:
        progress.epoch += 1
        restart(derive(seed, progress.epoch))
        meters, started = Meters(fabric), time.perf_counter()
        module.train()
        objective.prepare()
        _own_noise(seed, progress.epoch, fabric)
        for step, batch in enumerate(_own(prefetch(sampler.epoch(progress.epoch)), steps, fabric), start=1):
            batch = batch.to(fabric.device)
            set_rate(optimiser, learning_rate * share_left(decay, progress.epoch - 1 + (step - 1) / steps, epochs))
            parts = module(**vars(batch), epoch=progress.epoch)
            _update(fabric, module, optimiser, parts["loss"], clip_norm)
            meters.add(parts, len(batch))
            if step % CHECK_EVERY == 0:
                divergence.check_losses(meters, progress.epoch)
                log.step(progress.epoch, step, steps)
        divergence.check_losses(meters, progress.epoch)
        divergence.check_weights(objective.parameters(), optimiser, progress.epoch)
        progress.epoch_seconds.append(time.perf_counter() - started)
        shared.combine()
        means, progress.samples = meters.close()
        means["learning_rate"] = learning_rate * share_left(decay, progress.epoch - 1, epochs)
        values = {f"train/{name}": value for name, value in means.items()}

        if progress.epoch % validate_every == 0 or progress.epoch == epochs:
            module.eval()
            measured = fabric.broadcast(validate() if fabric.is_global_zero else {})
            values |= {f"valid/{name}": value for name, value in measured.items()}
            _keep_best(progress, objective, measured[monitor] if monitor else None, divergence)
        progress.log(values)
        progress.stopped = fabric.broadcast(bool(log.epoch(progress.epoch, values)))
        if _is_due(progress, checkpoint_every, epochs, patience):
            _save(checkpoint, objective, optimiser, progress, divergence, fabric)

    objective.load_state_dict(progress.best_weights)
    objective.eval()
    return progress


def _save(
    checkpoint: Checkpoint,
    objective: Objective,
    optimiser: torch.optim.Optimizer,
    progress: Progress,
    divergence: Divergence,
    fabric: "Fabric",
) -> None:
    """Write a checkpoint, on the first rank only."""
    if fabric.is_global_zero:
        checkpoint.save(objective, optimiser, progress)
    divergence.last_saved = progress.epoch


def _adam(objective: Objective, fabric: "Fabric", learning_rate: float, weight_decay: float) -> torch.optim.Optimizer:
    """Return Adam with decoupled weight decay, fused if the device supports it."""
    fused = fabric.device.type in ("cpu", "cuda")
    return torch.optim.AdamW(objective.parameters(), lr=learning_rate, weight_decay=weight_decay, fused=fused)


def _update(
    fabric: "Fabric", module: torch.nn.Module, optimiser: torch.optim.Optimizer, loss: Tensor, clip_norm: float | None
) -> None:
    """Perform one optimiser step on the loss."""
    optimiser.zero_grad()
    fabric.backward(loss)
    if clip_norm is not None:
        fabric.clip_gradients(module, optimiser, max_norm=clip_norm)
    optimiser.step()


def _keep_best(progress: Progress, objective: Objective, monitored: float | None, divergence: Divergence) -> None:
    """Store the weights if the monitored value is the best so far; without one, always."""
    if monitored is not None:
        divergence.check_monitored(monitored, progress.epoch)
    progress.observe(monitored, objective)


def _own_noise(seed: int, epoch: int, fabric: "Fabric") -> None:
    """Give each rank its own random numbers within the steps of an epoch; before them, all ranks draw the same."""
    if fabric.global_rank > 0:
        restart(derive(seed, epoch, 0, fabric.global_rank))


def _require_same(progress: Progress, checkpoint: Checkpoint, fabric: "Fabric") -> None:
    """Raise a TrainingError unless all ranks resume from one checkpoint, which other nodes may not see."""
    if (epoch := fabric.broadcast(progress.epoch)) != progress.epoch:
        raise TrainingError(
            f"{checkpoint.path} is not that of epoch {epoch} here; let all nodes share the output folder"
        )


def _steps(sampler: Sampler, fabric: "Fabric") -> int:
    """Return the number of steps per epoch, equal on all ranks; batches of an incomplete last round are dropped."""
    steps = len(sampler) // int(fabric.world_size)
    if steps == 0:
        raise TrainingError(
            f"an epoch has {len(sampler)} batches for {fabric.world_size} processes; lower sampler.batch_size"
        )
    return steps


def _own(batches: Iterator[Batch], steps: int, fabric: "Fabric") -> Iterator[Batch]:
    """Return every n-th batch, for this one of n ranks."""
    return islice(batches, fabric.global_rank, steps * fabric.world_size, fabric.world_size)


def _is_due(progress: Progress, every: int, epochs: int, patience: int | None) -> bool:
    """Return True if a checkpoint is to be written: every n epochs, and at the end."""
    ends = progress.epoch == epochs or progress.stale == patience or progress.stopped
    return progress.epoch % every == 0 or ends
