"""AUC over the pairs of all users."""

import numpy as np
from jaxtyping import Bool, Float

from recpair.evaluation.auroc import separation


def pooled_auc(pair_scores: Float[np.ndarray, "E"], pair_held_out: Bool[np.ndarray, "E"]) -> float:
    """Probability that a held-out pair (u, i) scores higher than an unobserved pair (v, j) of any user; ties count half.

    The loss ``mw`` bounds it. Unlike metrics that rank within a user, such as NDCG, it changes if all scores of a user are
    shifted. Per user, 100 unobserved pairs are sampled uniformly, the same ones in each evaluation.
    """
    return separation(pair_scores, pair_held_out).auroc
