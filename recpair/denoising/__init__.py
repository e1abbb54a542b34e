"""Denoisers: losses in, a choice or weights out."""

from recpair.denoising.contract import Choice, Denoiser
from recpair.denoising.pld import PLD

DENOISERS: dict[str, type[Denoiser]] = {
    "pld": PLD,
}

__all__ = ["DENOISERS", "Choice", "Denoiser"]
