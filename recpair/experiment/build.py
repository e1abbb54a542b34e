"""Construction of the components of a run from a checked config and the splits."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from recpair.batch import Batch
from recpair.config import Config
from recpair.data.attributes import categories_of_items
from recpair.data.features import Features
from recpair.data.interactions import Interactions
from recpair.data.splitting import Splits, require_times
from recpair.denoising import DENOISERS
from recpair.denoising.memory import Memory
from recpair.diagnostics import DIAGNOSTICS
from recpair.errors import ConfigError, DataError
from recpair.experiment.requirements import (
    asked_by_components,
    asked_by_model,
    candidates,
    declared_positives,
    gives,
    needs,
)
from recpair.integrations import OWN
from recpair.integrations.all_models import ALL_MODELS
from recpair.losses import LOSSES
from recpair.mining import MINERS
from recpair.models import GradientModel, Model, SequenceModel, Vectors
from recpair.registry import options_in
from recpair.run.run import Run
from recpair.sampling import SAMPLERS
from recpair.sampling.pairs import Sampler
from recpair.seeds import isolated
from recpair.semantics import Retrieved, encode_items, retrieve
from recpair.semantics.progress import Report, silent
from recpair.step import Tables, make
from recpair.terms import TERMS, Term
from recpair.terms.entries import labels
from recpair.training.bound_loss import BoundLoss
from recpair.training.frozen import Frozen
from recpair.training.objective import Objective

logger = logging.getLogger("recpair")

LACKING = {
    "relevance": "has no rating for each training event, which a component needs; map it with data.columns.rating",
    "category": "has no item table with a column category, categories or genres, which a component needs; give data.items",
    "item_features": "has no item table with a numeric column, which a component needs; give data.items",
    "user_features": "has no user table with a numeric column, which a component needs; give data.users",
}


@dataclass(frozen=True)
class Components:
    """Components of a run; closed-form models have neither objective nor sampler."""

    model: Model
    objective: Objective | None = None
    sampler: Sampler | None = None


def build(config: Config, splits: Splits) -> Components:
    """Build the model and, if it is trained by gradient descent, its objective and sampler."""
    section = dict(config["model"])
    name = section.pop("name")
    component = ALL_MODELS[name]
    if component.needs_times:
        require_times(splits.train, f"model.name: {name}")
    asked = {
        *asked_by_model(config["model"]),
        *(asked_by_components(config) if issubclass(component, GradientModel) else ()),
    }
    supplies = _supplies(config, splits, asked)
    with isolated(config["train"]["seed"]):
        model = make(component, supplies, **section)
        if isinstance(model, GradientModel):
            model.start(splits.train)
            sampler = _sampler(config, model, splits)
            return Components(model, _objective(config, model, splits, sampler, supplies, asked), sampler)
    return Components(model)


def reference_of(model: GradientModel, train: Interactions, *, reference: str | None = None) -> Frozen:
    """Return the reference of components that request one: the model of the run ``reference``, in all epochs.

    By default it is the trained model itself, frozen at the start of each epoch.

    Raises:
        RunError: the run cannot be loaded.
        ConfigError: the run has other users or items, or needs histories that the trained model does not read.
    """
    if reference is None:
        return Frozen(model)
    run = Run.open(Path(reference).expanduser())
    theirs, ours = run.recommender.train.vocabulary, train.vocabulary
    for kind, here, there in (("users", ours.users, theirs.users), ("items", ours.items, theirs.items)):
        if not here.values.equals(there.values):
            raise ConfigError(
                f"train.reference is {reference}, a run on other {kind} ({len(there.values):,}, here {len(here.values):,}); "
                f"expected a run on the same data"
            )
    if isinstance(run.model, SequenceModel) and not isinstance(model, SequenceModel):
        raise ConfigError(
            f"train.reference is {reference}, whose model {run.config['model']['name']} reads histories; expected a run "
            f"of a model such as mf"
        )
    return Frozen(model, run.model)


def retrieved_of(config: Config, splits: Splits, report: Report = silent, *, closed: bool = False) -> Retrieved | None:
    """Run the semantic stage on the training part; None if the config has no section ``semantics``."""
    section = config["semantics"]
    if section is None:
        return None
    return retrieve(splits, config["describe"], config["output"], report, closed, **section)


def _supplies(config: Config, splits: Splits, asked: set[str]) -> dict[str, Any]:
    """Values supplied at construction; the semantic stage runs only if its results are asked for."""
    section, train = config["semantics"], splits.train
    of_stage = {"retrieved", "judged", "semantic_items", "semantic_vectors"} & asked
    if section is not None and not of_stage:
        logger.info("no component uses semantics; nothing is encoded")
    encode = partial(encode_items, splits, config["describe"], config["output"], **(section or {}))
    retrieved = retrieved_of(config, splits) if {"retrieved", "judged"} & asked else None
    dense = None if retrieved is None else retrieved.item_vectors
    return {
        "interactions": train,
        "n_items": train.n_items,
        "n_users": train.n_users,
        "n_events": len(train),
        "retrieved": retrieved,
        "item_categories": categories_of_items(splits.items, train) if "item_categories" in asked else None,
        "semantic_items": encode() if section is not None and "semantic_items" in asked else None,
        "semantic_vectors": encode(dense=True) if dense is None and "semantic_vectors" in asked else dense,
    }


def _of_model(model: GradientModel, asked: set[str]) -> dict[str, Any]:
    """Values that only some models have, if they are asked for."""
    if isinstance(model, SequenceModel):
        return {"history_length": model.history_length, "embedding_dim": model.item_vectors().shape[1]}
    if "embedding_dim" not in asked:
        return {}
    with torch.no_grad():
        scorer = model.score(Batch.of_users(torch.zeros(1, dtype=torch.int64)))
    assert isinstance(scorer, Vectors), "requirements: embedding_dim needs vectors"
    return {"embedding_dim": scorer.items.shape[1]}


def _objective(
    config: Config,
    model: GradientModel,
    splits: Splits,
    sampler: Sampler,
    supplies: dict[str, Any],
    asked: set[str],
) -> Objective:
    denoise, mine = dict(config["denoise"] or {}), dict(config["hard_negatives"] or {})
    loss = _loss(config)
    supplies = supplies | _of_model(model, asked)
    denoiser = make(DENOISERS[denoise.pop("name")], supplies, **denoise) if denoise else None
    miner = make(MINERS[mine.pop("name")], supplies, **mine) if mine else None
    terms = _terms(config, supplies)
    tables = _tables(config, splits, sampler, asked, supplies["retrieved"] if "judged" in asked else None)
    memory = Memory(len(splits.train)) if loss is not None and loss.kind != "" else None
    given = gives(type(model))
    looks = [look for look in DIAGNOSTICS.values() if needs(look) <= given]
    rest = options_in(config["train"], Objective)
    frozen = (
        reference_of(model, splits.train, **options_in(config["train"], reference_of)) if "reference" in asked else None
    )
    return Objective(model, loss, denoiser, terms, miner, memory, tables, frozen, diagnostics=looks, **rest)


def _loss(config: Config) -> BoundLoss | None:
    """Loss function of the config, or None if the model has its own."""
    section = dict(config["loss"])
    name = section.pop("name")
    return None if name == OWN else BoundLoss(LOSSES[name], section)


def _terms(config: Config, supplies: Mapping[str, Any]) -> dict[str, tuple[float, Term]]:
    """Terms by label, with their weights."""
    terms = {}
    for entry, label in zip(config["terms"], labels(config["terms"]), strict=True):
        component = TERMS[entry["name"]]
        terms[label] = entry["weight"], make(component, supplies, **options_in(entry, component))
    return terms


def _tables(config: Config, splits: Splits, sampler: Sampler, asked: set[str], retrieved: Retrieved | None) -> Tables:
    train = splits.train
    features = Features.of(splits.items if asked & {"category", "item_features"} else None, train.vocabulary.items)
    of_users = Features.of(splits.users if "user_features" in asked else None, train.vocabulary.users)
    columns = {
        "noise": splits.noise,
        "weight": train.varying_weight,
        "relevance": train.rating if "relevance" in asked else None,
        "category": features.category,
        "item_features": features.numbers,
        "user_features": of_users.numbers,
    }
    for name in sorted(asked & {"relevance", "category", "item_features", "user_features"}):
        column = columns[name]
        if column is None or (name == "relevance" and bool(np.isnan(column).any())):
            raise DataError(f"{splits.name} {LACKING[name]}")
    known = {name: torch.from_numpy(column) for name, column in columns.items() if column is not None}
    if sampler.log_q is not None:  # in units of scores
        known["log_q"] = torch.from_numpy(sampler.log_q) * config["loss"].get("temperature", 1.0)
    return Tables(item_counts=torch.from_numpy(train.item_counts), **known, **Tables.semantic(retrieved))


def _sampler(config: Config, model: GradientModel, splits: Splits) -> Sampler:
    section = dict(config["sampler"])
    if config["hard_negatives"]:
        section["n_negatives"] *= candidates(config["hard_negatives"], MINERS)
    positives = max([1, *declared_positives(config).values()])
    supplied = {"history_length": model.history_length} if isinstance(model, SequenceModel) else {}
    return SAMPLERS[section.pop("name")](splits.train, positives, config["train"]["seed"], **supplied, **section)
