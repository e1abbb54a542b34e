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

from recpair import experiment
from recpair.contrast import TERMS
from recpair.contrast.anchors import Anchors
from recpair.contrast.sra_cl import CrossUser
from recpair.data.interactions import Interactions
from recpair.data.splitting import Splits

NAME = "sra_cl_cross_leaky"


class LeakyCross(CrossUser):
    """The cross-user term over the histories before all events, held-out ones too."""

    row_of: ClassVar[Tensor]  # of each training row, its row among all events

    def positives(self, model: Any, anchors: Anchors) -> Tensor:
        return super().positives(model, replace(anchors, row=self.row_of[anchors.row]))


@contextmanager
def leaking() -> Iterator[None]:
    """Within, contrast terms see histories before all events, and LeakyCross is one of them."""
    honest = experiment._terms

    def terms(config: Any, model: Any, splits: Splits) -> Any:
        whole, LeakyCross.row_of = together(splits)
        return honest(config, model, replace(splits, train=whole))

    TERMS[NAME], experiment._terms = LeakyCross, terms
    try:
        yield
    finally:
        del TERMS[NAME]
        experiment._terms = honest


def together(splits: Splits) -> tuple[Interactions, Tensor]:
    """All events, in which a history before a test event ends with the validation item; and where the training rows are."""
    parts = (splits.train, splits.valid, splits.test)
    user, item, time = (np.concatenate([getattr(part, name) for part in parts]) for name in ("user", "item", "time"))
    whole = Interactions.from_indices(user, item, time, vocabulary=splits.vocabulary)
    trains = np.arange(len(user)) < len(splits.train)
    return whole, torch.from_numpy(np.flatnonzero(trains[Interactions.order(user, time)]))
