"""Denoisers, which select or weight the candidate positives by their losses."""

from collections.abc import Callable

from recpair.denoising.contract import Choice, Denoiser, Pool
from recpair.denoising.dbpm import DBPM
from recpair.denoising.dcf import DCF
from recpair.denoising.plain import Plain
from recpair.denoising.pld import PLD
from recpair.denoising.r_ce import RCE
from recpair.denoising.t_ce import TCE
from recpair.denoising.udt import UDT

DENOISERS: dict[str, Callable[..., Denoiser]] = {
    "dbpm": DBPM,
    "dcf": DCF,
    "none": Plain,
    "pld": PLD,
    "r_ce": RCE,
    "t_ce": TCE,
    "udt": UDT,
}

__all__ = ["DENOISERS", "Choice", "Denoiser", "Pool"]
