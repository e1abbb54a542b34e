"""Properties of individual sequential models of RecBole, as read from their code (1.2.1)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

USERS = "it has parameters of each user, and a sequence model here is asked with a history alone"
FEATURES = "it reads features of items, which recpair does not hand over"
PROBABILITIES = "its scores are probabilities of a mixture, no inner products of a history and an item"


def _forward(model: Any, history: Tensor, length: Tensor) -> Tensor:
    out: Tensor = model.forward(history, length)
    return out


def _without_length(model: Any, history: Tensor, length: Tensor) -> Tensor:
    out: Tensor = model.forward(history)
    return out


def _table(model: Any) -> Tensor:
    table: Tensor = model.item_embedding.weight
    return table


@dataclass(frozen=True)
class SequenceTraits:
    """Encoding of histories by one model, and the item vectors to multiply with.

    Attributes:
        query: the model, histories (H, T) padded with 0 on the right, and their lengths (H,) → vectors (H, D).
        items: the model → vectors (I + 1, D), the padding's first.
        refused: reason why the model is not supported.
    """

    query: Callable[[Any, Tensor, Tensor], Tensor] = _forward
    items: Callable[[Any], Tensor] = _table
    refused: str = ""


def _cosines(model: Any) -> Tensor:
    """Return CORE's item vectors: normalised, over its temperature; with dropout in training, as in its loss."""
    items: Tensor = model.item_dropout(_table(model))
    return normalize(items, dim=-1) / float(model.temperature)


def _masked_last(model: Any, history: Tensor, length: Tensor) -> Tensor:
    """Return BERT4Rec's vector of a mask after the history, followed by a 1 for the item biases.

    RecBole makes room for the mask by dropping the first item of a history, even if it is shorter than T.
    """
    places = model.forward(model.reconstruct_test_data(history, length))
    last: Tensor = model.gather_indexes(places, length - 1)
    return torch.cat([last, torch.ones_like(last[:, :1])], dim=1)


def _with_biases(model: Any) -> Tensor:
    """Return BERT4Rec's item vectors, without the mask, each with its bias."""
    return torch.cat([_table(model)[: model.n_items], model.output_bias.unsqueeze(1)], dim=1)


SEQUENCE_TRAITS: dict[str, SequenceTraits] = {
    "BERT4Rec": SequenceTraits(query=_masked_last, items=_with_biases),
    "CORE": SequenceTraits(query=_without_length, items=_cosines),
    "NextItNet": SequenceTraits(query=_without_length),
    **dict.fromkeys(
        ("Caser", "FOSSIL", "FPMC", "HGN", "HRM", "NPE", "SHAN", "TransRec"), SequenceTraits(refused=USERS)
    ),
    **dict.fromkeys(("DIEN", "DIN", "FDSA", "GRU4RecF", "SASRecF"), SequenceTraits(refused=FEATURES)),
    **dict.fromkeys(("GRU4RecCPR", "RepeatNet", "SASRecCPR"), SequenceTraits(refused=PROBABILITIES)),
    **dict.fromkeys(
        ("GRU4RecKG", "KSR"), SequenceTraits(refused="it reads a knowledge graph's embeddings from a file")
    ),
    "FEARec": SequenceTraits(refused="its loss looks up other histories in RecBole's own data set"),
    "S3Rec": SequenceTraits(refused="it is trained in two stages with pickled weights between them, on features"),
}
