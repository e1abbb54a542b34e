"""Views of histories: what a person might have taken as well. Functions (H, T) -> (H, T), padding kept on the left.

Rates are shares of a history's own length; a view of a history with items is never without any. All draws
come from the run's generator on the history's device.
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
    """A run of ⌊rate · n⌋ items (one at least) that begins anywhere. Source: CL4SRec (Xie et al., ICDE 2022)."""
    real, length, place = _layout(history)
    start, size = _run(length, rate, history.shape[1], at_least=1)
    return _packed(history, real & (place >= start) & (place < start + size))


def mask(history: Int[Tensor, "H T"], rate: float) -> Int[Tensor, "H T"]:
    """Without ⌊rate · n⌋ items drawn at random (one stays). Source: CL4SRec.

    Deviation: no token stands in for what is masked, since models have none: the items before it move up.
    """
    real, length, _ = _layout(history)
    return _packed(
        history, real & ~_some(real, _share(length, rate, history.shape[1]).minimum((length - 1).clamp_min(0)))
    )


def reorder(history: Int[Tensor, "H T"], rate: float) -> Int[Tensor, "H T"]:
    """A run of ⌊rate · n⌋ items is shuffled; the others stay where they are. Source: CL4SRec."""
    _, length, place = _layout(history)
    start, size = _run(length, rate, history.shape[1])
    inside = (place >= start) & (place < start + size)
    # Keys of the run fall between those of its neighbours, whose keys are their places.
    keys = torch.where(inside, start + size * _uniform(place), place)
    return history.gather(1, keys.argsort(dim=1, stable=True))


def insert(history: Int[Tensor, "H T"], rate: float, neighbours: Int[Tensor, "I K"]) -> Int[Tensor, "H T"]:
    """Before ⌊rate · n⌋ items (one at least) a neighbour is inserted; the latest T stay. Source: CoSeRec (2021).

    Nothing is inserted before an item that has no neighbour.
    """
    real, length, _ = _layout(history)
    near = _neighbour(history, neighbours)
    chosen = _some(real, _share(length, rate, history.shape[1], at_least=1)) & (near != PADDING)
    pairs = torch.stack([near, history], dim=2).flatten(1)
    keep = torch.stack([chosen, real], dim=2).flatten(1)
    return _packed(pairs, keep)[:, -history.shape[1] :]


def substitute(history: Int[Tensor, "H T"], rate: float, neighbours: Int[Tensor, "I K"]) -> Int[Tensor, "H T"]:
    """⌊rate · n⌋ items (one at least) are replaced by a neighbour, where they have one. Source: CoSeRec (2021)."""
    real, length, _ = _layout(history)
    return _swapped(history, _some(real, _share(length, rate, history.shape[1], at_least=1)), neighbours)


def replace(history: Int[Tensor, "H T"], probability: float, neighbours: Int[Tensor, "I K"]) -> Int[Tensor, "H T"]:
    """Each item by itself is replaced with this probability by one of its neighbours. Source: SRA-CL (2025)."""
    chosen = _uniform(history) < probability
    return _swapped(history, chosen & (history != PADDING), neighbours)


def one_of(views: Sequence[View], history: Int[Tensor, "H T"]) -> Int[Tensor, "H T"]:
    """Each history by one of the views, drawn uniformly."""
    device = history.device
    drawn = torch.randint(len(views), (len(history), 1), device=device, generator=generator(device))
    out = history
    for number, view in enumerate(views):
        out = torch.where(drawn == number, view(history), out)
    return out


def _layout(history: Int[Tensor, "H T"]) -> tuple[Bool[Tensor, "H T"], Int[Tensor, "H 1"], Float[Tensor, "H T"]]:
    """Where there is an item, how many there are (n), and each one's place from 0; padding has negative places."""
    real = history != PADDING
    length = real.sum(1, keepdim=True)
    width = history.shape[1]
    place = torch.arange(width, device=history.device, dtype=torch.float32) - (width - length)
    return real, length, place


def _uniform(like: Tensor) -> Tensor:
    """U(0, 1) of the same shape, on the same device."""
    return torch.rand(like.shape, dtype=torch.float32, device=like.device, generator=generator(like.device))


def _share(length: Int[Tensor, "H 1"], rate: float, width: int, at_least: int = 0) -> Int[Tensor, "H 1"]:
    """⌊rate · n⌋, in double precision as Python has it."""
    return _shares(rate, width, length.device)[length].clamp_min(at_least).minimum(length)


@lru_cache(maxsize=4096)
def _shares(rate: float, longest: int, device: torch.device) -> Int[Tensor, "_"]:
    """⌊rate · n⌋ for n from 0 to the longest; computed on the processor, as not every device has float64."""
    return torch.from_numpy((np.arange(longest + 1) * rate).astype(np.int64)).to(device)


def _run(
    length: Int[Tensor, "H 1"], rate: float, width: int, at_least: int = 0
) -> tuple[Int[Tensor, "H 1"], Int[Tensor, "H 1"]]:
    """Start and size of a run of ⌊rate · n⌋ places, every start equally likely."""
    size = _share(length, rate, width, at_least)
    starts = length - size + 1
    start = (_uniform(length) * starts).long()
    return start.minimum(starts - 1), size


def _some(real: Bool[Tensor, "H T"], count: Int[Tensor, "H 1"]) -> Bool[Tensor, "H T"]:
    """That many of the places with an item, each equally likely."""
    keys = _uniform(real).masked_fill(~real, 2)
    return keys.argsort(dim=1).argsort(dim=1) < count


def _packed(history: Int[Tensor, "H _"], keep: Bool[Tensor, "H _"]) -> Int[Tensor, "H _"]:
    """What is kept, in its order, moved to the right."""
    order = keep.to(torch.int8).argsort(dim=1, stable=True)
    return history.masked_fill(~keep, PADDING).gather(1, order)


def _neighbour(history: Int[Tensor, "H T"], neighbours: Int[Tensor, "I K"]) -> Int[Tensor, "H T"]:
    """One of each item's neighbours, drawn uniformly; PADDING where it has none or there is no item."""
    near = neighbours[history.clamp_min(0)]
    known = (near != PADDING).sum(2)
    drawn = (_uniform(history) * known).long().minimum((known - 1).clamp_min(0))
    found = near.gather(2, drawn.unsqueeze(2)).squeeze(2).to(history.dtype)
    return found.masked_fill(history == PADDING, PADDING)


def _swapped(
    history: Int[Tensor, "H T"], chosen: Bool[Tensor, "H T"], neighbours: Int[Tensor, "I K"]
) -> Int[Tensor, "H T"]:
    """The chosen items replaced by a neighbour, where they have one."""
    near = _neighbour(history, neighbours)
    return torch.where(chosen & (near != PADDING), near, history)
