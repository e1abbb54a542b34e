"""Values that components can request by parameter name, and the object that supplies them.

In the signature of a component, parameters before ``*`` are supplied by recpair, by name; parameters after ``*`` are
config keys. ``SUPPLIES`` lists all names. ``Step`` computes each value at its first access, once per step.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from types import MappingProxyType
from typing import Any, TypeVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from recpair.batch import Batch
from recpair.models import GradientModel, Scorer, Vectors
from recpair.models.lookup import look_up
from recpair.semantics import Retrieved
from recpair.terms.contrast.anchors import Anchors

T = TypeVar("T")

NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Supply:
    """Description of a supplied value.

    Attributes:
        meaning: one-line description.
        shape: axes of a tensor; empty for other values.
        needs: requirement on the model or the data (a key of ``requirements.GIVES``), or None.
        building: True if the value is supplied when the component is constructed, rather than at every step.
    """

    meaning: str
    shape: str = ""
    needs: str | None = None
    building: bool = False


SUPPLIES: dict[str, Supply] = {
    "pos": Supply("scores of the positives", "Q P", "scores"),
    "neg": Supply("scores of the negatives, logQ-corrected, false negatives masked", "Q N", "scores"),
    "log_partition": Supply("log of the sum of exp(score) over all items", "Q 1", "catalogue"),
    "scores": Supply("scores of the candidate negatives of a miner", "Q C", "scores"),
    "present": Supply("False where a pool of positives repeats a training interaction", "Q P"),
    "false_negatives": Supply("mask of sampled negatives to ignore", "Q N"),
    "relevance": Supply("ratings of the positives", "Q P", "ratings"),
    "judged": Supply("semantic similarity of positives, then negatives, to the history, 0 to 1", "Q C", "semantics"),
    "queries": Supply("query vectors", "Q D", "vectors"),
    "positive_vectors": Supply("item vectors of the positives", "Q P D", "vectors"),
    "item_vectors": Supply("all item vectors", "I D", "vectors"),
    "user_vectors": Supply("all user vectors", "U D", "users"),
    "history": Supply("items of the histories, padded on the left", "H T", "history"),
    "anchors": Supply("the queries at the last place of each history, with what they belong to", "", "history"),
    "category": Supply("category of each item, -1 if it has none", "I", "categories"),
    "item_features": Supply("numeric columns of the item table, standardised", "I F", "item_features"),
    "user_features": Supply("numeric columns of the user table, standardised", "U F", "user_features"),
    "group": Supply("user of each query", "Q"),
    "reference": Supply(
        "a frozen scorer of the batch: the model at the start of the epoch, or another run", "", "scores"
    ),
    "n_negatives": Supply("N, the negatives of a query"),
    "item_counts": Supply("training interactions of each item", "I"),
    "model": Supply("the model"),
    "scorer": Supply("the model's scorer of the batch"),
    "batch": Supply("the batch"),
    "epoch": Supply("the epoch, from 1"),
    "n_items": Supply("I, the items of the catalogue"),
    "n_users": Supply("U, the users of the training data", building=True),
    "n_events": Supply("E, the training interactions", building=True),
    "interactions": Supply("the training interactions", building=True),
    "embedding_dim": Supply("D, the length of the model's vectors", "", "vectors", building=True),
    "history_length": Supply("T, the longest history that the model reads", "", "history", building=True),
    "semantic_items": Supply("semantic vectors of the items, dense or sparse", "", "semantics", building=True),
    "semantic_vectors": Supply("dense semantic vectors of the items", "I S", "semantics", building=True),
    "item_categories": Supply("categories of the items, binary; None without a column of them", "I _", building=True),
    "retrieved": Supply("vectors and neighbours by meaning", "", "semantics", building=True),
}


def supplied_names(component: Callable[..., Any]) -> tuple[str, ...]:
    """Return the names that precede ``*`` in the signature of a function, a method or a class."""
    return _names_before_star(getattr(component, "__func__", component))  # a method would keep its object in the cache


@cache
def _names_before_star(component: Callable[..., Any]) -> tuple[str, ...]:
    parameters = inspect.signature(component).parameters.values()
    return tuple(p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD and p.name != "self")


def make(component: Callable[..., Any], supplies: Mapping[str, Any], **options: Any) -> Any:
    """Construct a component from its options and the supplied values in its signature."""
    return component(**{name: supplies[name] for name in supplied_names(component)}, **options)


class Tables(nn.Module):
    """Tables of the training interactions and the items, on the device of the model.

    Attributes:
        relevance: rating of each training interaction (E,).
        weight: weight of each training interaction (E,).
        noise: mask of injected training interactions (E,).
        log_q: correction of the score of each item as a negative (I,).
        item_counts: training interactions of each item (I,).
        category: category of each item (I,), -1 if it has none.
        item_features, user_features: features of each item (I, F) and each user (U, F).
        semantic_items, semantic_histories: semantic unit vectors (I, S) and (E, S).
    """

    relevance: Tensor | None
    weight: Tensor | None
    noise: Tensor | None
    log_q: Tensor | None
    item_counts: Tensor | None
    category: Tensor | None
    item_features: Tensor | None
    user_features: Tensor | None
    semantic_items: Tensor | None
    semantic_histories: Tensor | None

    def __init__(self, **known: Tensor | None) -> None:
        super().__init__()
        for name in Tables.__annotations__:
            self.register_buffer(name, known.pop(name, None), persistent=False)
        assert not known, f"unknown tables: {', '.join(known)}"

    @classmethod
    def semantic(cls, retrieved: Retrieved | None) -> dict[str, Tensor | None]:
        """Tables of the semantic vectors."""
        if retrieved is None:
            return {}
        vectors = {"semantic_items": retrieved.item_vectors, "semantic_histories": retrieved.history_vectors}
        return {name: torch.from_numpy(table) for name, table in vectors.items()}


def lazily(compute: Callable[["Step"], T]) -> "cached_property[T]":
    """Compute a value at its first access, with a gradient if the step has gradients."""

    def value(step: "Step") -> T:
        with torch.set_grad_enabled(step.gradients):
            return compute(step)

    return cached_property(value)


class Step:
    """Values supplied to the components of a run for one batch, each computed at its first access.

    Args:
        reference: returns the scorer of the frozen model for a batch, or None.
        gradients: whether values have gradients, independent of the place of access; None: the current grad mode.
    """

    def __init__(
        self,
        model: GradientModel,
        tables: Tables,
        batch: Batch,
        epoch: int,
        reference: Callable[[Batch], Scorer] | None = None,
        *,
        gradients: bool | None = None,
    ) -> None:
        self.gradients = torch.is_grad_enabled() if gradients is None else gradients
        self.model, self.tables, self.batch, self.epoch = model, tables, batch, epoch
        self._reference = reference

    def on(self, batch: Batch, **known: Any) -> "Step":
        """Return the step of the same queries with other positives or negatives; ``known`` values are kept."""
        other = Step(self.model, self.tables, batch, self.epoch, self._reference, gradients=self.gradients)
        vars(other).update({"scorer": self.scorer} | known)
        return other

    def look(self) -> "Step":
        """Return the same step with values detached from the graph."""
        other = Step(self.model, self.tables, self.batch, self.epoch, self._reference, gradients=False)
        known = {name: value.detach() for name, value in vars(self).items() if isinstance(value, Tensor)}
        vars(other).update({"scorer": self.scorer} | known)
        return other

    def supply(self, component: Callable[..., Any], options: Mapping[str, Any] = NOTHING, **given: Any) -> Any:
        """Call a component with its options and the supplied values in its signature.

        ``given`` values override supplied ones.
        """
        names = supplied_names(component)
        return component(**{name: given[name] if name in given else getattr(self, name) for name in names}, **options)

    @lazily
    def scorer(self) -> Scorer:
        return self.model.score(self.batch)

    @lazily
    def pos(self) -> Float[Tensor, "Q P"]:
        return self.scorer.of(self.batch.positives)

    @lazily
    def neg(self) -> Float[Tensor, "Q N"]:
        """Scores of the negatives, or the log-partition of the whole catalogue if the batch has no negatives."""
        batch = self.batch
        if batch.negatives is None:
            return self.scorer.log_partition()
        scores = self.scorer.of(batch.negatives)
        if self.tables.log_q is not None:
            scores = scores - self.tables.log_q[batch.negatives]
        if batch.false_negatives is None:
            return scores
        return scores.masked_fill(
            batch.false_negatives, torch.finfo(scores.dtype).min / 64
        )  # finite even after division by a temperature

    @property
    def log_partition(self) -> Float[Tensor, "Q 1"]:
        """The value of ``neg`` if no negatives are drawn."""
        return self.neg

    @property
    def scores(self) -> Float[Tensor, "Q C"]:
        return self.neg

    @lazily
    def present(self) -> Bool[Tensor, "Q P"]:
        rows = self.batch.rows
        repeated = (rows.unsqueeze(2) == rows.unsqueeze(1)).tril(-1)
        return ~repeated.any(2)

    @lazily
    def false_negatives(self) -> Bool[Tensor, "Q N"]:
        if self.batch.false_negatives is not None:
            return self.batch.false_negatives
        return torch.zeros_like(self.neg, dtype=torch.bool)

    @lazily
    def relevance(self) -> Float[Tensor, "Q P"]:
        return _there(self.tables.relevance, "ratings")[self.batch.rows]

    @lazily
    def judged(self) -> Float[Tensor, "Q C"]:
        """(1 + cosine of the semantic vectors of history and item) / 2."""
        items, histories = self.tables.semantic_items, self.tables.semantic_histories
        negatives = self.batch.negatives
        rows = self.batch.rows[:, 0]
        shown = self.batch.positives
        if negatives is not None:
            shown = torch.cat([shown, negatives.expand(len(shown), -1)], dim=1)
        history = _there(histories, "semantics")[rows].unsqueeze(1)
        return (1 + (history * _there(items, "semantics")[shown]).sum(-1)).clamp(0, 2) / 2

    @property
    def vectors(self) -> Vectors:
        assert isinstance(self.scorer, Vectors), "the composition root refuses components that need vectors"
        return self.scorer

    @property
    def queries(self) -> Float[Tensor, "Q D"]:
        return self.vectors.queries

    @lazily
    def positive_vectors(self) -> Float[Tensor, "Q P D"]:
        return look_up(self.vectors.items, self.batch.positives)

    @property
    def item_vectors(self) -> Float[Tensor, "I D"]:
        return self.vectors.items

    @lazily
    def user_vectors(self) -> Float[Tensor, "U D"]:
        vectors: Tensor = self.model.user_vectors()  # type: ignore[operator]
        return vectors

    @property
    def history(self) -> Int[Tensor, "H T"]:
        assert self.batch.history is not None, "the composition root refuses components that need histories"
        return self.batch.history

    @lazily
    def anchors(self) -> Anchors:
        return Anchors.of(self.vectors, self.batch)

    @property
    def category(self) -> Int[Tensor, "I"]:
        return _there(self.tables.category, "categories")

    @property
    def item_features(self) -> Float[Tensor, "I F"]:
        return _there(self.tables.item_features, "item_features")

    @property
    def user_features(self) -> Float[Tensor, "U F"]:
        return _there(self.tables.user_features, "user_features")

    @property
    def group(self) -> Int[Tensor, "Q"]:
        return self.batch.user

    @lazily
    def reference(self) -> Scorer:
        assert self._reference is not None, "the objective makes a reference for the components that ask for one"
        return self._reference(self.batch)

    @property
    def n_negatives(self) -> int:
        return self.neg.shape[1]

    @property
    def item_counts(self) -> Int[Tensor, "I"]:
        return _there(self.tables.item_counts, "item_counts")

    @property
    def n_items(self) -> int:
        return len(self.item_counts)


def _there(table: Tensor | None, what: str) -> Tensor:
    assert table is not None, f"the composition root refuses components that need {what}"
    return table
