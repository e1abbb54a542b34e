"""Views (augmentations) of histories: functions (H, T) -> (H, T) that keep the padding on the left.

Rates are shares of the length of a history; the view of a non-empty history is never empty. All draws
use the generator of the run on the device of the history.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from recpair.data.histories import PADDING
from recpair.seeds import generator

View = Callable[[Tensor], Tensor]


def crop(history: Int[Tensor, "H T"], rate: float) -> Int[Tensor, "H T"]:
    """Keep a random run of ⌊rate · n⌋ items (at least one). Source: CL4SRec (Xie et al., ICDE 2022)."""
    real, length, place = _layout(history)
    start, size = _run(length, rate, history.shape[1], at_least=1)
    return _packed(history, real & (place >= start) & (place < start + size))


def mask(history: Int[Tensor, "H T"], rate: float) -> Int[Tensor, "H T"]:
    """Remove ⌊rate · n⌋ random items, but keep at least one. Source: CL4SRec.

    Deviation: masked items are removed and earlier items move up, as the models have no mask token.
    """
    real, length, _ = _layout(history)
    return _packed(
        history, real & ~_some(real, _share(length, rate, history.shape[1]).minimum((length - 1).clamp_min(0)))
    )


def reorder(history: Int[Tensor, "H T"], rate: float) -> Int[Tensor, "H T"]:
    """Shuffle a random run of ⌊rate · n⌋ items; the others keep their positions. Source: CL4SRec."""
    _, length, place = _layout(history)
    start, size = _run(length, rate, history.shape[1])
    inside = (place >= start) & (place < start + size)
    # Keys of the run lie between those of its neighbours, whose keys are their positions.
    keys = torch.where(inside, start + size * _uniform(place), place)
    return history.gather(1, keys.argsort(dim=1, stable=True))


def insert(history: Int[Tensor, "H T"], rate: float, neighbours: Int[Tensor, "I K"]) -> Int[Tensor, "H T"]:
    """Insert a neighbour before ⌊rate · n⌋ items (at least one); keep the latest T. Source: CoSeRec (2021).

    Nothing is inserted before an item without neighbours.
    """
    real, length, _ = _layout(history)
    near = _neighbour(history, neighbours)
    chosen = _some(real, _share(length, rate, history.shape[1], at_least=1)) & (near != PADDING)
    pairs = torch.stack([near, history], dim=2).flatten(1)
    keep = torch.stack([chosen, real], dim=2).flatten(1)
    return _packed(pairs, keep)[:, -history.shape[1] :]


def substitute(history: Int[Tensor, "H T"], rate: float, neighbours: Int[Tensor, "I K"]) -> Int[Tensor, "H T"]:
    """Replace ⌊rate · n⌋ items (at least one) by a neighbour, if they have any. Source: CoSeRec (2021)."""
    real, length, _ = _layout(history)
    return _swapped(history, _some(real, _share(length, rate, history.shape[1], at_least=1)), neighbours)


def replace(history: Int[Tensor, "H T"], probability: float, neighbours: Int[Tensor, "I K"]) -> Int[Tensor, "H T"]:
    """Replace each item independently by one of its neighbours with this probability. Source: SRA-CL (2025)."""
    chosen = _uniform(history) < probability
    return _swapped(history, chosen & (history != PADDING), neighbours)


def one_of(views: Sequence[View], history: Int[Tensor, "H T"]) -> Int[Tensor, "H T"]:
    """Apply one of the views, drawn uniformly, to each history."""
    device = history.device
    drawn = torch.randint(len(views), (len(history), 1), device=device, generator=generator(device))
    out = history
    for number, view in enumerate(views):
        out = torch.where(drawn == number, view(history), out)
    return out


def _layout(history: Int[Tensor, "H T"]) -> tuple[Bool[Tensor, "H T"], Int[Tensor, "H 1"], Float[Tensor, "H T"]]:
    """Return the mask of items, their number (n), and their positions from 0; padding has negative positions."""
    real = history != PADDING
    length = real.sum(1, keepdim=True)
    width = history.shape[1]
    place = torch.arange(width, device=history.device, dtype=torch.float32) - (width - length)
    return real, length, place


def _uniform(like: Tensor) -> Tensor:
    """Draw from U(0, 1), with the shape and device of ``like``."""
    return torch.rand(like.shape, dtype=torch.float32, device=like.device, generator=generator(like.device))


def _share(length: Int[Tensor, "H 1"], rate: float, width: int, at_least: int = 0) -> Int[Tensor, "H 1"]:
    """⌊rate · n⌋, in double precision as in Python."""
    return _shares(rate, width, length.device)[length].clamp_min(at_least).minimum(length)


@lru_cache(maxsize=4096)
def _shares(rate: float, longest: int, device: torch.device) -> Int[Tensor, "_"]:
    """⌊rate · n⌋ for n from 0 to ``longest``; computed on the CPU, as not all devices support float64."""
    return torch.from_numpy((np.arange(longest + 1) * rate).astype(np.int64)).to(device)


def _run(
    length: Int[Tensor, "H 1"], rate: float, width: int, at_least: int = 0
) -> tuple[Int[Tensor, "H 1"], Int[Tensor, "H 1"]]:
    """Draw the start (uniformly) and the size of a run of ⌊rate · n⌋ positions."""
    size = _share(length, rate, width, at_least)
    starts = length - size + 1
    start = (_uniform(length) * starts).long()
    return start.minimum(starts - 1), size


def _some(real: Bool[Tensor, "H T"], count: Int[Tensor, "H 1"]) -> Bool[Tensor, "H T"]:
    """Draw ``count`` of the positions with an item, uniformly."""
    keys = _uniform(real).masked_fill(~real, 2)
    return keys.argsort(dim=1).argsort(dim=1) < count


def _packed(history: Int[Tensor, "H _"], keep: Bool[Tensor, "H _"]) -> Int[Tensor, "H _"]:
    """Move the kept items to the right, in their order."""
    order = keep.to(torch.int8).argsort(dim=1, stable=True)
    return history.masked_fill(~keep, PADDING).gather(1, order)


def _neighbour(history: Int[Tensor, "H T"], neighbours: Int[Tensor, "I K"]) -> Int[Tensor, "H T"]:
    """Draw one of the neighbours of each item, uniformly; PADDING without neighbours or item."""
    near = neighbours[history.clamp_min(0)]
    known = (near != PADDING).sum(2)
    drawn = (_uniform(history) * known).long().minimum((known - 1).clamp_min(0))
    found = near.gather(2, drawn.unsqueeze(2)).squeeze(2).to(history.dtype)
    return found.masked_fill(history == PADDING, PADDING)


def _swapped(
    history: Int[Tensor, "H T"], chosen: Bool[Tensor, "H T"], neighbours: Int[Tensor, "I K"]
) -> Int[Tensor, "H T"]:
    """Replace the chosen items by a neighbour, if they have any."""
    near = _neighbour(history, neighbours)
    return torch.where(chosen & (near != PADDING), near, history)
