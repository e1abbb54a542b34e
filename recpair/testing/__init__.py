"""Contract tests of components, for those of recpair and for those of users.

Each function checks one component and raises an ``AssertionError`` that names the violated property:

>>> from recpair.testing import check_loss
>>> check_loss(my_loss, margin=0.5)
"""

from recpair.testing.denoisers import check_denoiser
from recpair.testing.losses import check_loss
from recpair.testing.metrics import check_metric
from recpair.testing.miners import check_miner
from recpair.testing.models import check_model
from recpair.testing.terms import check_term

__all__ = ["check_denoiser", "check_loss", "check_metric", "check_miner", "check_model", "check_term"]
