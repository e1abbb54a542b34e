"""Detection of diverged training, with advice."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from recpair.errors import TrainingError
from recpair.training.checkpoint import Checkpoint
from recpair.training.meters import Meters


@dataclass
class Divergence:
    """Raise a TrainingError at the first loss, weight or validation metric that is NaN or infinite.

    Attributes:
        learning_rate: learning rate with which the run was started or resumed.
        resumed_after: the epoch of the checkpoint that the run was resumed from; 0 without one.
        last_saved: the epoch of the checkpoint that is now on disk; 0 without one.
    """

    checkpoint: Checkpoint
    learning_rate: float
    resumed_after: int
    last_saved: int = field(init=False)

    def __post_init__(self) -> None:
        self.last_saved = self.resumed_after

    def check_losses(self, meters: Meters, epoch: int) -> None:
        """Check the loss of every step of the epoch so far."""
        step = meters.first_bad_step()
        if step is None:
            return
        if step == 1 and epoch == self.resumed_after + 1 > 1:  # no update between the checkpoint and this loss
            raise TrainingError(
                f"training diverged: the weights of {self.checkpoint.path} (epoch {self.resumed_after}) give a loss that "
                f"is NaN or infinite; train again without --resume, at a lower train.learning_rate"
            )
        self._stop(f"the loss became NaN or infinite in epoch {epoch}, step {step}")

    def check_weights(self, weights: Iterable[Tensor], optimiser: torch.optim.Optimizer, epoch: int) -> None:
        """Check the contents of the epoch's checkpoint: the weights, and the optimiser's moments."""
        moments = [value for state in optimiser.state.values() for value in state.values() if torch.is_tensor(value)]
        # A sum is NaN or infinite if one of its terms is, and needs no memory.
        sums = [tensor.detach().sum() for tensor in (*weights, *moments)]
        if not all(math.isfinite(value) for value in torch.stack([value.float().cpu() for value in sums]).tolist()):
            self._stop(f"weights became NaN or infinite in epoch {epoch}")

    def check_monitored(self, value: float, epoch: int) -> None:
        """Check the validation metric that selects the best epoch."""
        if math.isnan(value):
            self._stop(f"the monitored validation metric is NaN in epoch {epoch}")

    def _stop(self, what: str) -> None:
        advice = "train again with a lower train.learning_rate or with train.clip_norm"
        if self.last_saved:
            advice = (
                f"lower train.learning_rate or set train.clip_norm, and go on from the last good checkpoint, "
                f"{self.checkpoint.path} (epoch {self.last_saved}), with --resume"
            )
        raise TrainingError(f"training diverged: {what}, at learning rate {self.learning_rate:g}; {advice}")


def require_finite(losses: Tensor) -> Tensor:
    """Return the losses (nats) of a trained model unchanged.

    Raises:
        TrainingError: one of them is NaN or infinite.
    """
    if bad := int((~torch.isfinite(losses)).sum()):
        raise TrainingError(
            f"training diverged: {bad:,} of {losses.numel():,} losses under the current weights are NaN or infinite; "
            f"train again with a lower train.learning_rate or with train.clip_norm"
        )
    return losses
