"""Scores of held-out and unobserved pairs, for metrics that compare pairs of different users."""

import numpy as np
import torch

from recpair.data.histories import Histories
from recpair.data.interactions import Interactions
from recpair.data.item_lists import ItemLists
from recpair.models import Model
from recpair.sampling.negatives import Taken, Uniform

NEGATIVES = 100  # per user; the standard error of an AUC is about 0.3 / √(users · 100)
BLOCK = 1024


@torch.no_grad()
def scored_pairs(
    model: Model, histories: Histories, held_out: Interactions, device: torch.device
) -> tuple[np.ndarray, np.ndarray]:
    """Score each user's held-out items and 100 unobserved items, sampled uniformly with a fixed seed.

    Returns:
        Scores (E,) and labels (E,), True for held-out pairs.
    """
    relevant = ItemLists.of_users(held_out)
    users = np.flatnonzero(np.diff(relevant.indptr))
    source = Uniform(held_out, Taken(held_out, *histories.parts))
    drawn = source.draw(users, np.zeros_like(users), NEGATIVES, np.uint64(0), 0)
    scores, labels = [], []
    for start in range(0, len(users), BLOCK):
        asked = users[start : start + BLOCK]
        lists = relevant.rows(asked)
        sizes = np.diff(lists.indptr)
        wanted = np.zeros((len(asked), sizes.max()), dtype=np.int64)
        real = np.arange(wanted.shape[1]) < sizes[:, None]
        wanted[real] = lists.items
        items = np.concatenate([wanted, drawn[start : start + BLOCK]], axis=1)
        scorer = model.score(model.batch_of(torch.from_numpy(asked).to(device), histories))
        found = scorer.of(torch.from_numpy(items).to(device)).float().cpu().numpy()
        counted = np.concatenate([real, np.ones((len(asked), NEGATIVES), dtype=bool)], axis=1)
        scores.append(found[counted])
        labels.append((np.arange(items.shape[1]) < wanted.shape[1])[None].repeat(len(asked), 0)[counted])
    return np.concatenate(scores), np.concatenate(labels)
