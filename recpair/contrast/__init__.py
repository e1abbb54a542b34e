"""Contrast terms: ``(model, scorer, batch) -> scalar``, added to the loss under their own name."""

from recpair.contrast.cl4srec import CL4SRec
from recpair.contrast.contract import Context, Term
from recpair.contrast.coserec import CoSeRec
from recpair.contrast.cwcl import CWCL
from recpair.contrast.duorec import DuoRec
from recpair.contrast.iclrec import ICLRec
from recpair.contrast.sra_cl import CrossUser, IntraUser

TERMS: dict[str, type[Term]] = {
    "cl4srec": CL4SRec,
    "coserec": CoSeRec,
    "cwcl": CWCL,
    "duorec": DuoRec,
    "iclrec": ICLRec,
    "sra_cl_cross": CrossUser,
    "sra_cl_intra": IntraUser,
}

__all__ = ["TERMS", "Context", "Term"]
