"""Values that metrics receive by name: the parameters allowed before ``*`` in the signature of a metric."""

from typing import NamedTuple


class Supply(NamedTuple):
    """Entry of the legend.

    Attributes:
        shape: its axes (``recpair/axes.py``); empty for a number. A value with the axis K is cut at each cut-off.
        meaning: description for the documentation.
        requires: the input from which it is computed: the ``lists`` and the data, the scores of the ``model``, the item
            ``vectors`` of the model, or the item ``texts``.
    """

    shape: str
    meaning: str
    requires: str = "lists"


LEGEND: dict[str, Supply] = {
    "items": Supply("B K", "int32: ranked items, best first; -1 where fewer than K items are left"),
    "hits": Supply("B K", "bool: whether the item at this rank is relevant (held out for the list's user)"),
    "gains": Supply("B K", "float64: gain of the item at this rank; 0 if it is not relevant (evaluate.gain)"),
    "ideal_gains": Supply(
        "B K", "float64: gains of the relevant items, largest first, then 0; with evaluate.ideal=full not cut at K"
    ),
    "n_relevant": Supply("B", "int64: number of relevant items, at least 1"),
    "relevant_items": Supply("E", "int32: relevant items of all lists, list after list"),
    "relevant_lists": Supply("E", "int64: row of the list that each entry of relevant_items belongs to"),
    "n_items": Supply("", "number of items in the catalogue"),
    "n_users": Supply("", "number of users in the training data"),
    "item_counts": Supply("I", "int64: training interactions of each item"),
    "item_users": Supply("I", "int64: users with a training interaction with each item"),
    "item_vectors": Supply("I D", "float: item vectors of the model", "vectors"),
    "text_vectors": Supply("I S", "float: unit vectors of the item texts, dense or a CSR matrix", "texts"),
    "pair_scores": Supply("E", "float32: scores of the held-out pairs and of 100 unobserved pairs per user", "model"),
    "pair_held_out": Supply("E", "bool: whether the pair was held out", "model"),
}


def is_cut(name: str) -> bool:
    """Return True if a value has the axis K; metrics that receive it are computed for each cut-off."""
    return "K" in LEGEND[name].shape.split()
