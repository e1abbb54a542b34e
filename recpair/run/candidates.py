"""Candidate items of each user, as another system returns them."""

import logging
from dataclasses import dataclass

import numpy as np
import polars as pl

from recpair.data.vocabulary import Ids

logger = logging.getLogger("recpair")


@dataclass(frozen=True, eq=False)
class Candidates:
    """Candidates in CSR: ``items[indptr[r]:indptr[r + 1]]`` are those of the r-th distinct user."""

    users: Ids
    indptr: np.ndarray
    items: np.ndarray
    n_items: int

    @classmethod
    def of(cls, user_ids: pl.Series, items: np.ndarray, n_items: int) -> "Candidates":
        """Group rows by user; rows with item −1 are dropped, their users are kept."""
        users = Ids("user", user_ids.drop_nulls().unique(maintain_order=True))
        row = users.find(user_ids)
        kept = (items >= 0) & (row >= 0)
        order = np.argsort(row[kept], kind="stable")
        counts = np.bincount(row[kept], minlength=len(users))
        return cls(users, np.concatenate([[0], np.cumsum(counts)]), items[kept][order], n_items)

    def mask(self, labels: pl.Series) -> np.ndarray:
        """Return the mask of the candidates of users, bool (B, I); False for users without candidates."""
        out = np.zeros((len(labels), self.n_items), dtype=bool)
        for position, row in enumerate(self.users.find(labels).tolist()):
            if row >= 0:
                out[position, self.items[self.indptr[row] : self.indptr[row + 1]]] = True
        return out

    def note_missing(self, labels: pl.Series) -> None:
        """Log the number of users without candidates."""
        row = self.users.find(labels)
        lengths = np.append(np.diff(self.indptr), 0)  # the last one for unknown users, row −1
        if missing := int((lengths[row] == 0).sum()):
            logger.info("users without candidates in per_user_items get no recommendations (%s)", f"{missing:,}")
