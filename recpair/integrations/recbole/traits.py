"""Properties of individual general models of RecBole, as read from their code (1.2.1)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

Examples = Literal["pairs", "points", "users"]


@dataclass(frozen=True)
class Traits:
    """Training, scoring and fold-in of one model.

    Attributes:
        vectors: vectors of all users and all items, padding included, if a score is their inner product.
        examples: input of ``calculate_loss``: positives with negatives beside them, labelled points, or each user of
            the batch once; None: given by the model's ``input_type``.
        encoder: scores depend on a user's whole history only, so unknown users can be scored.
        rows: scores from rows of a users × items matrix, for a fitted model without user parameters.
        fitted: fitted in its constructor, although RecBole does not call it traditional.
        state: attributes drawn by training or construction that RecBole's checkpoints lack.
        cache: an attribute that is outdated once weights change.
        logits: ``sigmoid`` is applied to scores after the loss; it is left out, which keeps the order and avoids
            saturation.
        new_epoch: called with the model, its settings and the epoch (from 1), before the epoch's first loss.
        refused: reason why the model is not supported.
    """

    vectors: Callable[[Any], tuple[Tensor, Tensor]] | None = None
    examples: Examples | None = None
    encoder: bool = False
    rows: Callable[[Any, Any], Any] | None = None
    fitted: bool = False
    state: tuple[str, ...] = ()
    cache: str | None = None
    logits: bool = False
    new_epoch: Callable[[Any, Mapping[str, Any], int], None] | None = None
    refused: str = ""


def _tables(model: Any) -> tuple[Tensor, Tensor]:
    return model.user_embedding.weight, model.item_embedding.weight


def _clusters(model: Any, settings: Mapping[str, Any], epoch: int) -> None:
    """Run NCL's E-step with scipy's k-means; the prototypes are used once the warm-up is over."""
    model.proto_reg = settings["proto_reg"] if epoch > settings["warm_up_step"] else 0.0
    if model.user_centroids is not None and (epoch - 1) % settings["m_step"]:
        return
    from scipy.cluster.vq import kmeans2

    for side in ("user", "item"):
        points = getattr(model, f"{side}_embedding").weight.detach()
        centres, nearest = kmeans2(points.cpu().numpy(), min(model.k, len(points)), minit="points")
        centres = torch.nn.functional.normalize(torch.from_numpy(centres), dim=1)
        setattr(model, f"{side}_centroids", centres.to(points))
        setattr(model, f"{side}_2cluster", torch.from_numpy(nearest).long().to(points.device))


def _shuffled_users(model: Any, settings: Mapping[str, Any], epoch: int) -> None:
    """Reshuffle LINE's list of users to draw from, so that an epoch does not depend on the previous one."""
    model.random_list, model.random_pr = torch.randperm(model.n_users - 1).numpy() + 1, 0


def _centred(model: Any, rows: Any) -> Any:
    """Return ADMMSLIM's scores, with or without its item means."""
    means = model.item_means if model.center_columns else 0.0
    return (rows.toarray() - means) @ model.item_similarity + means


TRAITS: dict[str, Traits] = {
    "ADMMSLIM": Traits(rows=_centred),
    "BPR": Traits(vectors=_tables),
    "CDAE": Traits(examples="users"),
    "DGCF": Traits(vectors=lambda model: model.forward()),
    "DMF": Traits(cache="i_embedding", logits=True),
    "DiffRec": Traits(examples="users", encoder=True, state=("Lt_history", "Lt_count")),
    "EASE": Traits(rows=lambda model, rows: rows @ model.item_similarity),
    "ENMF": Traits(
        vectors=lambda model: (model.user_embedding.weight * model.H_i.weight, model.item_embedding.weight),
        examples="users",
    ),
    "ItemKNN": Traits(rows=lambda model, rows: rows @ model.w),
    "LINE": Traits(vectors=_tables, new_epoch=_shuffled_users),
    "LightGCN": Traits(vectors=lambda model: model.forward()),
    "MacridVAE": Traits(examples="users", encoder=True, state=("update",)),
    "MultiDAE": Traits(examples="users", encoder=True),
    "MultiVAE": Traits(examples="users", encoder=True, state=("update",)),
    "NCEPLRec": Traits(fitted=True),
    "NCL": Traits(vectors=lambda model: model.forward()[:2], new_epoch=_clusters),
    "NGCF": Traits(vectors=lambda model: model.forward()),
    "NNCF": Traits(state=("u_neigh", "i_neigh")),
    "NeuMF": Traits(logits=True),
    "SGL": Traits(vectors=lambda model: model.forward(model.train_graph)),
    "SLIMElastic": Traits(rows=lambda model, rows: rows @ model.item_similarity),
    "SpectralCF": Traits(vectors=lambda model: model.forward()),
    "GCMC": Traits(refused="two names of its state share a tensor, which safetensors files do not keep"),
    "LDiffRec": Traits(refused="it reads a file of item vectors made beforehand"),
    "Pop": Traits(refused="it counts an item once a batch; model popularity counts every user"),
    "RaCT": Traits(refused="it is trained in three stages with pickled weights between them"),
    "RecVAE": Traits(refused="it alternates two optimisers in its own trainer"),
}
