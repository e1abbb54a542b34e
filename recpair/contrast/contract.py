"""What a contrast term is, and what it is made from."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from recpair.batch import Batch
from recpair.data.interactions import Interactions
from recpair.models import SequenceModel, Vectors
from recpair.semantics import Retrieved


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


class Term(nn.Module, ABC):
    """``(model, scorer, batch) -> scalar``, in nats: added to the loss with its weight, logged under its own name.

    What a term learns are its parameters; tables that it looks things up in are buffers that are not saved.
    All draws take ``generator=seeds.generator(device)``, which the loop restarts by (seed, epoch).

    Attributes:
        needs_semantics: whether ``Context.retrieved`` must be there.
    """

    needs_semantics: ClassVar[bool] = False

    @abstractmethod
    def forward(self, model: SequenceModel, scorer: Vectors, batch: Batch) -> Float[Tensor, ""]:
        """What the batch adds to the loss."""

    def prepare(self, model: SequenceModel) -> None:
        """Called before the first step of every epoch; for most terms there is nothing to prepare."""
