"""Comparison of an exported model with the model itself."""

from pathlib import Path

import numpy as np
import torch

from recpair.data.histories import Histories, padded
from recpair.data.interactions import Interactions
from recpair.integrations.embeddings import Trained
from recpair.models import Model

QUERIES = 256  # users that are compared
BLOCK = 32  # of them at a time
ITEMS = 100  # best items of each that are compared


def largest_difference(
    path: Path, query: str, model: Model, train: Interactions, trained: Trained
) -> tuple[int, float, float]:
    """Compare the best scores by onnxruntime with the model's own, for users evenly spaced by index.

    Both the model's scores of the items that the file ranks first and the model's best scores are compared, so that the
    rankings agree but for differences of this size.

    Returns:
        the number of users, the largest difference, and the largest absolute score.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    places = np.unique(np.linspace(0, len(trained.users) - 1, QUERIES).astype(np.int64))
    k = min(ITEMS, len(trained.items))
    largest = scale = 0.0
    for block in np.split(places, range(BLOCK, len(places), BLOCK)):
        users = trained.users[block]
        given = block if query == "user" else histories_of(train, trained, users)
        items, scores = session.run(None, {query: given, "k": np.array(k), "exclude_seen": np.array(False)})
        with torch.no_grad():
            scorer = model.score(model.batch_of(torch.from_numpy(users), Histories((train,))))
            own = scorer.catalogue()[:, torch.from_numpy(trained.items)].float().cpu().numpy()
        best = -np.sort(-own, axis=1)[:, :k]
        differences = np.stack([np.take_along_axis(own, items, axis=1), best]) - scores
        largest, scale = max(largest, float(np.abs(differences).max())), max(scale, float(np.abs(best).max()))
    return len(places), largest, scale


def histories_of(train: Interactions, trained: Trained, users: np.ndarray) -> np.ndarray:
    """Return the training items of users, the oldest first, as positions in ``trained``; padded with −1 on the left."""
    lists = [np.searchsorted(trained.items, train.items_of(user)) for user in users.tolist()]
    return padded(lists, max(map(len, lists)))
