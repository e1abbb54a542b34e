"""CWCL on items: contrastive loss with semantic soft weights."""

from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor
from torch.nn.functional import log_softmax, normalize

from recpair.batch import Batch
from recpair.semantics import Retrieved
from recpair.terms.contract import Term
from recpair.terms.contrast.info_nce import Similarity, Temperature


class CWCLItems(Term):
    """Weighted InfoNCE of the queries of a batch with the positives of the batch.

    −mean over i of Σ_j w_ij / Σ_k w_ik · log softmax_j(⟨q_i, p_j⟩ / τ), w_ij = ((1 + cosine of the semantic vectors of
    p_i and p_j) / 2)^sharpness, w_ii = 1: items semantically similar to the positive act as soft positives. Source:
    Srinivasa et al., CWCL (NeurIPS 2023), equation 4, with queries and items as the two modalities. Deviation: a
    sharpness, which approaches InfoNCE as it grows. Only the first positive of a query is used.
    """

    meaning: Tensor

    def __init__(
        self,
        retrieved: Retrieved,
        *,
        sharpness: Annotated[float, Field(gt=0)] = 1.0,
        temperature: Temperature = 0.2,
        similarity: Similarity = "cosine",
    ) -> None:
        """
        Args:
            sharpness: exponent of the weights.
        """
        super().__init__()
        self.register_buffer("meaning", torch.from_numpy(retrieved.item_vectors), persistent=False)
        self.sharpness, self.temperature, self.similarity = sharpness, temperature, similarity

    def forward(
        self, queries: Float[Tensor, "Q D"], positive_vectors: Float[Tensor, "Q P D"], batch: Batch
    ) -> Float[Tensor, ""]:
        items = positive_vectors[:, 0]
        if self.similarity == "cosine":
            queries, items = normalize(queries, dim=1), normalize(items, dim=1)
        meaning = self.meaning[batch.positives[:, 0]]
        weights = ((1 + meaning @ meaning.T) / 2).clamp(0, 1) ** self.sharpness
        weights = weights.fill_diagonal_(1).to(queries.dtype)
        log_p = log_softmax(queries @ items.T / self.temperature, dim=1)
        return -(weights / weights.sum(1, keepdim=True) * log_p).sum(1).mean()
