"""Recall with inverse propensity weights."""

from typing import Annotated

import numpy as np
from jaxtyping import Bool, Float, Int
from pydantic import Field


def debiased_recall(
    items: Int[np.ndarray, "B K"],
    hits: Bool[np.ndarray, "B K"],
    relevant_items: Int[np.ndarray, "E"],
    relevant_lists: Int[np.ndarray, "E"],
    item_counts: Int[np.ndarray, "I"],
    *,
    exponent: Annotated[float, Field(ge=0, le=10)] = 1.5,
) -> Float[np.ndarray, "B"]:
    """Recall with relevant items weighted by 1 / propensity: Σ_hits w / Σ_relevant w, w = item_count^−exponent.

    Popular items are observed (and so held out) more often than their appeal explains; the weights undo that. In [0, 1].
    The estimator is self-normalised (SNIPS): a user's weights sum to 1, so a constant factor of the propensity cancels.

    Args:
        exponent: exponent of the popularity in the propensity; 0 gives recall. The authors estimate it as (γ + 1) / 2
            with the exponent γ of the data's power law between 1.5 and 3, so between 1.25 and 2.

    Source: the SNIPS estimator of Yang et al., RecSys 2018. Deviation: an item without a training interaction counts as if it had
    one; the authors' code excludes it, and therefore users without another relevant item.
    """
    weights = np.maximum(item_counts, 1) ** -float(exponent)
    lists, places = np.nonzero(hits)
    found = np.bincount(lists, weights=weights[items[lists, places]], minlength=len(items))
    total = np.bincount(relevant_lists, weights=weights[relevant_items], minlength=len(items))
    return np.minimum(found / total, 1.0)  # the sums are accumulated in different orders
