"""Substitute for RecBole's data set, backed by training interactions; no file is written.

RecBole's user 0 and item 0 are padding: its indices are recpair's plus one.
"""

from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from recpair.data.interactions import Interactions
from recpair.errors import ConfigError

FIELDS = {
    "USER_ID_FIELD": "user_id",
    "ITEM_ID_FIELD": "item_id",
    "RATING_FIELD": "rating",
    "LABEL_FIELD": "label",
    "NEG_PREFIX": "neg_",
    "LIST_SUFFIX": "_list",
    "ITEM_LIST_LENGTH_FIELD": "item_length",
}
Histories = tuple[Tensor, Tensor, Tensor]  # items (or users) per row, their values, and the lengths
USER, ITEM, RATING, LABEL = (FIELDS[f"{name}_FIELD"] for name in ("USER_ID", "ITEM_ID", "RATING", "LABEL"))
NEGATIVE, HISTORY, LENGTH = FIELDS["NEG_PREFIX"] + ITEM, ITEM + FIELDS["LIST_SUFFIX"], FIELDS["ITEM_LIST_LENGTH_FIELD"]


class TrainingSet:
    """The part of ``recbole.data.dataset.Dataset`` that models use, including T of sequential models.

    Deviations: repeated events count once in ``inter_matrix``; a truncated history keeps its last events (RecBole's
    keeps random ones), so that a saved model returns the same scores when it is loaded.
    """

    uid_field, iid_field = USER, ITEM

    def __init__(self, interactions: Interactions, history_length: int | None = None) -> None:
        self.field2seqlen = {HISTORY: history_length}
        self.user_num, self.item_num = interactions.n_users + 1, interactions.n_items + 1
        self.inter_num = len(interactions)
        self._taken: Any = interactions.to_scipy()
        self.inter_feat: dict[str, Tensor] = {
            USER: torch.from_numpy(interactions.user.astype(np.int64) + 1),
            ITEM: torch.from_numpy(interactions.item.astype(np.int64) + 1),
        }
        if interactions.rating is not None:
            self.inter_feat[RATING] = torch.from_numpy(interactions.rating)

    def num(self, field: str) -> int:
        """Return the number of users or items, including the padding."""
        return {USER: self.user_num, ITEM: self.item_num}[field]

    def inter_matrix(self, form: Literal["coo", "csr"] = "coo", value_field: str | None = None) -> Any:
        """Return users × items as a scipy matrix, with ones or ratings."""
        user, item = self.inter_feat[USER].numpy(), self.inter_feat[ITEM].numpy()
        shape = self.user_num, self.item_num
        if value_field is not None:
            return sp.coo_matrix((self._values(value_field), (user, item)), shape=shape).asformat(form)
        once = self._taken.tocoo()
        return sp.coo_matrix((once.data, (once.row + 1, once.col + 1)), shape=shape).asformat(form)

    def history_item_matrix(self, value_field: str | None = None, max_history_len: int | None = None) -> Histories:
        """Return each user's items (users × longest, 0 is padding), their values, and the lengths."""
        return self._histories(USER, ITEM, value_field, max_history_len)

    def history_user_matrix(self, value_field: str | None = None, max_history_len: int | None = None) -> Histories:
        """Return each item's users, their values, and the lengths."""
        return self._histories(ITEM, USER, value_field, max_history_len)

    def _histories(self, of: str, what: str, value_field: str | None, longest: int | None) -> Histories:
        owner, other = self.inter_feat[of].numpy(), self.inter_feat[what].numpy()
        order = np.argsort(owner, kind="stable")
        owner, other, values = owner[order], other[order], self._values(value_field)[order]
        full = np.bincount(owner, minlength=self.num(of))
        lengths = full if longest is None else np.minimum(full, longest)
        before = np.concatenate([[0], np.cumsum(full)])
        place = np.arange(len(owner)) - before[owner] - (full - lengths)[owner]
        kept = place >= 0
        matrix = np.zeros((self.num(of), int(lengths.max())), dtype=np.int64)
        value = np.zeros(matrix.shape, dtype=np.float32)
        matrix[owner[kept], place[kept]] = other[kept]
        value[owner[kept], place[kept]] = values[kept]
        return torch.from_numpy(matrix), torch.from_numpy(value), torch.from_numpy(lengths)

    def _values(self, field: str | None) -> Any:
        if field is None:
            return np.ones(self.inter_num, dtype=np.float32)
        if field not in self.inter_feat:
            raise ConfigError("model.inter_matrix_type is 'rating', but the data has no ratings; use '01'")
        values = self.inter_feat[field].numpy()
        if missing := int(np.isnan(values).sum()):
            raise ConfigError(
                f"model.inter_matrix_type is 'rating', but {missing:,} events have no rating; use '01', or correct the ratings"
            )
        return values
