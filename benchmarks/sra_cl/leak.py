"""The leak of SRA-CL's authors, to measure what it is worth; the package itself cannot have it.

Their neighbours are sought among all prefixes, those that end with the validation item too, so that what other users did
after their training events is read in training.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from recpair.data.interactions import Interactions
from recpair.data.splitting import Splits
from recpair.experiment.build import build as building
from recpair.terms import TERMS
from recpair.terms.contrast.anchors import Anchors
from recpair.terms.contrast.sra_cl import CrossUser

NAME = "sra_cl_cross_leaky"


class LeakyCross(CrossUser):
    """The cross-user term over the histories before all events, held-out ones too."""

    row_of: ClassVar[Tensor]  # of each training row, its row among all events

    def positives(self, model: Any, anchors: Anchors) -> Tensor:
        return super().positives(model, replace(anchors, row=self.row_of[anchors.row]))


@contextmanager
def leaking() -> Iterator[None]:
    """Within, contrast terms see histories before all events, and LeakyCross is one of them."""
    honest = building._terms

    def terms(config: Any, model: Any, splits: Splits, retrieved: Any) -> Any:
        whole, LeakyCross.row_of = together(splits)
        leaky = replace(splits, train=whole)
        return honest(config, model, leaky, building.retrieved_of(config, leaky))

    TERMS[NAME], building._terms = LeakyCross, terms
    try:
        yield
    finally:
        del TERMS[NAME]
        building._terms = honest


def together(splits: Splits) -> tuple[Interactions, Tensor]:
    """All events, in which a history before a test event ends with the validation item; and where the training rows are."""
    parts = (splits.train, splits.valid, splits.test)
    user, item, time = (np.concatenate([getattr(part, name) for part in parts]) for name in ("user", "item", "time"))
    whole = Interactions.from_indices(user, item, time, vocabulary=splits.vocabulary)
    trains = np.arange(len(user)) < len(splits.train)
    return whole, torch.from_numpy(np.flatnonzero(trains[Interactions.order(user, time)]))
