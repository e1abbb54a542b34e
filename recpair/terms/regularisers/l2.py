"""L2 penalty on the embeddings used in a batch."""

import torch
from jaxtyping import Float
from torch import Tensor

from recpair.batch import Batch
from recpair.models import GradientModel
from recpair.models.lookup import mean_squared_norm
from recpair.terms.contract import Term


class L2(Term):
    """Mean over the batch of ‖u‖² + ‖p‖² + ‖n‖² of the raw embeddings, averaged over P and over N.

    Source: Rendle et al., BPR (UAI 2009), section 4.3, per batch as in the code of LightGCN (SIGIR 2020) and PLD (WWW
    2025). The weight is the L2 coefficient of the papers.
    """

    def forward(self, model: GradientModel, batch: Batch) -> Float[Tensor, ""]:
        return torch.stack([mean_squared_norm(table, rows) for table, rows in model.regularised(batch)]).sum()
