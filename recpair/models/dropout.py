"""Dropout whose random numbers cost little on a processor."""

import torch
from torch import Tensor

WORD = 2**16  # an element is dropped by 16 random bits


def dropout(x: Tensor, rate: float, training: bool) -> Tensor:
    """Zeros at random with probability ``rate``, the rest scaled so that the mean stays; ``x`` itself when not training.

    torch draws one number of 53 bits for each element, which takes a fifth of a small transformer's step on a
    processor; here four elements share one draw of 64 bits. The rate is rounded to 1 / 65,536, and the scale with it.
    """
    if not training or rate == 0:
        return x
    if x.device.type != "cpu":
        return torch.nn.functional.dropout(x, rate)
    dropped = min(round(rate * WORD), WORD - 1)
    bits = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None).view(torch.int16)
    kept = bits[: x.numel()].view(x.shape) >= dropped - WORD // 2
    return x * kept.to(x.dtype).mul_(WORD / (WORD - dropped))
