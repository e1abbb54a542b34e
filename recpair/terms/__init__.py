"""Terms: weighted scalars added to the loss, each with a separate label."""

from recpair.terms.contract import Term
from recpair.terms.contrast.cl4srec import CL4SRec
from recpair.terms.contrast.coserec import CoSeRec
from recpair.terms.contrast.cwcl import CWCL
from recpair.terms.contrast.cwcl_items import CWCLItems
from recpair.terms.contrast.duorec import DuoRec
from recpair.terms.contrast.iclrec import ICLRec
from recpair.terms.contrast.sra_cl import CrossUser, IntraUser
from recpair.terms.direct_au import DirectAU
from recpair.terms.regularisers.l2 import L2
from recpair.terms.regularisers.norm import Norm

TERMS: dict[str, type[Term]] = {
    "cl4srec": CL4SRec,
    "coserec": CoSeRec,
    "cwcl": CWCL,
    "cwcl_items": CWCLItems,
    "direct_au": DirectAU,
    "duorec": DuoRec,
    "iclrec": ICLRec,
    "l2": L2,
    "norm": Norm,
    "sra_cl_cross": CrossUser,
    "sra_cl_intra": IntraUser,
}

__all__ = ["TERMS", "Term"]
