"""Weights of a blend, chosen on validation events by a coordinate search."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float

from recpair.evaluation.evaluator import Evaluator
from recpair.evaluation.ranking import top_k_csr
from recpair.models import Model
from recpair.models.calibration import CALIBRATIONS, Calibration

GRID = (0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)
SWEEPS = 3
DEPTH, PER_RANK = 500, 25  # candidates of a member: at least 500, and 25 times the cut-off of the metric

Weights = tuple[float, ...]


@dataclass(frozen=True)
class Candidates:
    """Candidates of a block of users with the calibrated scores of the members.

    Attributes:
        items: int32 (B, C), ascending in each row, then −1.
        scores: float32 (M, B, C), −∞ for items of −1.
    """

    items: np.ndarray
    scores: np.ndarray

    def best(self, weights: Float[np.ndarray, "M"], k: int) -> np.ndarray:
        """Return the k best items, int32 (B, k); −1 if fewer are left. Ties go to the lower item."""
        blended = np.zeros(self.items.shape)
        for m in np.flatnonzero(weights):
            blended += weights[m] * self.scores[m]
        starts = np.zeros(len(self.items) + 1, dtype=np.int64)
        found, _ = top_k_csr(blended.astype(np.float32), starts, np.empty(0, dtype=np.int32), k)
        items: np.ndarray = np.where(
            found >= 0, np.take_along_axis(self.items, np.maximum(found, 0), axis=1), np.int32(-1)
        )
        return items


@torch.no_grad()
def candidates_of(
    members: Sequence[Model], evaluator: Evaluator, calibration: Calibration, depth: int
) -> list[Candidates]:
    """Return the union of the members' ``depth`` best unseen items of each user of the evaluator, in blocks of users.

    Memory: at most ``depth`` · M items per user, with M float32 scores each.
    """
    n_items, found = evaluator.train.n_items, []
    block = max(1, evaluator.block_mb * 2**20 // (4 * n_items))
    for start in range(0, len(evaluator.users), block):
        users = evaluator.users[start : start + block]
        seen = evaluator.seen.rows(users)
        scores, chosen = [], np.zeros((len(users), n_items), dtype=bool)
        for member in members:
            asked = member.batch_of(torch.from_numpy(users).to(member.device), evaluator.histories)
            raw = member.score(asked).catalogue().float().cpu()
            best, _ = top_k_csr(raw.numpy(), seen.indptr, seen.items, min(depth, n_items))
            row, place = np.nonzero(best >= 0)
            chosen[row, best[row, place]] = True
            scores.append(CALIBRATIONS[calibration](raw).numpy())
        found.append(_gathered(chosen, scores))
    return found


def _gathered(chosen: np.ndarray, scores: Sequence[np.ndarray]) -> Candidates:
    """Return the chosen items, bool (B, I), and their scores of each member, float32 (B, I)."""
    row, item = np.nonzero(chosen)
    starts = np.searchsorted(row, np.arange(len(chosen)))
    place = np.arange(len(row)) - starts[row]
    shape = len(chosen), int(place.max(initial=0)) + 1
    items = np.full(shape, -1, dtype=np.int32)
    kept = np.full((len(scores), *shape), -np.inf, dtype=np.float32)
    items[row, place] = item
    for m, each in enumerate(scores):
        kept[m][row, place] = each[row, item]
    return Candidates(items, kept)


@dataclass
class WeightSearch:
    """Coordinate search for the weights of the members on the validation events of a group of users.

    The search starts with weight 1 for the best member. It tries the values of ``GRID`` for one member after the other,
    keeps the first best one if it improves the metric, and ends after a sweep without improvement, or ``SWEEPS``.
    Weights are compared on the candidates of the members, and measured by the evaluator.

    Attributes:
        evaluator: evaluator of the group's validation events, of a single metric and cut-off.
        alone: value of the metric for each member.
        readings: number of weight vectors measured on the validation events so far, without those of single members.
    """

    evaluator: Evaluator
    metric: str
    blocks: Sequence[Candidates]
    alone: Sequence[float]
    readings: int = 0
    _known: dict[Weights, float] = field(default_factory=dict)

    def value(self, weights: Weights) -> float:
        """Return the validation metric of a blend; each weight vector is measured once."""
        used = np.flatnonzero(weights)
        if len(used) == 1:
            return self.alone[int(used[0])]
        if weights not in self._known:
            self.readings += 1
            k = self.evaluator.cutoffs[-1]
            lists = np.concatenate([block.best(np.array(weights), k) for block in self.blocks])
            self._known[weights] = self.evaluator.measure(lists).means[self.metric]
        return self._known[weights]

    def run(self) -> tuple[Weights, float]:
        """Return the best weights, which sum to 1, and their value."""
        members = len(self.alone)
        start = int(np.argmax(self.alone))
        scale = np.zeros(members)
        scale[start] = 1.0
        best = self.value(normalised(scale))
        for _ in range(SWEEPS):
            before = best
            for m in range(members):
                trials = [np.where(np.arange(members) == m, factor, scale) for factor in GRID]
                trials = [trial for trial in trials if trial.any()]
                values = [self.value(normalised(trial)) for trial in trials]
                if max(values) > best:
                    best, scale = max(values), trials[int(np.argmax(values))]
            if best == before:
                break
        return normalised(scale), best


def normalised(weights: Sequence[float] | np.ndarray) -> Weights:
    """Return weights divided by their sum, in single precision as in a model."""
    values = np.asarray(weights, dtype=np.float64)
    return tuple((values / values.sum()).astype(np.float32).astype(np.float64).tolist())
