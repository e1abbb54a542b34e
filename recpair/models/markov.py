"""Markov: a fitted first-order Markov chain of items."""

from typing import Annotated

from pydantic import Field

from recpair.data.interactions import Interactions
from recpair.models.transitions import Transitions


class Markov(Transitions):
    """First-order Markov chain: score(q, i) = P(i | l) / max_j P(j | l), with l the last item of the history.

    P(i | l) is the share of the training events after an event with l that are with i. The special case of
    ``transitions`` with window 1, hops 1, last 1, backward 0, column_exponent 0 and no text. If nothing follows l in
    training, all scores are 0.
    """

    def __init__(self, interactions: Interactions, *, time_decay: Annotated[float, Field(gt=0)] | None = None) -> None:
        """
        Args:
            time_decay: days between two events after which their transition counts half; None: time is not used.
        """
        fixed = {"backward": 0.0, "column_exponent": 0.0, "text_weight": 0.0}
        super().__init__(interactions, None, window=1, hops=1, last=1, time_decay=time_decay, **fixed)
