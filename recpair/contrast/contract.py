"""What a contrast term is, and what it is made from."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from recpair.batch import Batch
from recpair.data.interactions import Interactions
from recpair.models import Model, Scorer
from recpair.semantics import Retrieved

Term = Callable[[Model, Scorer, Batch], Tensor]


@dataclass(frozen=True, eq=False)
class Context:
    """What a term may look at besides the batch; a term is made as ``Term(context, *, …options)``.

    Attributes:
        train: the training interactions, and nothing that was held out.
        embedding_dim: D of the model's vectors.
        history_length: T of the model, or None where it reads no histories.
        retrieved: what the semantic stage found, or None where the config has none.
    """

    train: Interactions
    embedding_dim: int
    history_length: int | None
    retrieved: Retrieved | None
