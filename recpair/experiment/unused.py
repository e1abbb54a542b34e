"""Keys of a config that its model does not use, and the overrides that drop them.

A key is refused if it comes from the same source as the name of the model (the config or the overrides), or from a later
one. If an override has only replaced the model's name, unused keys of the config are dropped, with one note. Keys with
their default value are accepted.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from recpair.config import Config
from recpair.errors import ConfigError, shown
from recpair.evaluation.names import name_of
from recpair.experiment.overriding import Given
from recpair.experiment.requirements import MODEL_NEEDS, asks, gives, may_have_vectors, needs
from recpair.integrations import OWN
from recpair.integrations.all_models import ALL_MODELS
from recpair.losses import LOSSES
from recpair.models import FittedModel, Model, OwnLossModel, SequenceModel
from recpair.terms import TERMS

FITTED_DEVICES = ("auto", "cpu")
OF_PAIRS = ("denoise", "hard_negatives")  # sections that need the losses of pairs


@dataclass(frozen=True)
class Unused:
    """A key that the model does not use, its value, and the override that drops it."""

    key: str
    value: Any
    override: str

    def __str__(self) -> str:
        return f"{self.key} ({shown(self.value)})"


def unused_keys(config: Config, defaults: Callable[[Config], Config], given: Given) -> list[Unused]:
    """Return the keys with another value than their default that the model of a config does not use.

    Args:
        defaults: returns the config with the same names of model and loss, and no other keys.
    """
    model = ALL_MODELS[config["model"]["name"]]
    if issubclass(model, FittedModel):
        found = [*_of_gradient_models(config, defaults(config)), *_terms(config, set(), given)]
    else:
        own = config["loss"]["name"] == OWN and issubclass(model, OwnLossModel)
        found = [
            *([*_of_pairs(config), *_trim(config)] if own else []),
            *_terms(config, gives(model), given),
            *_loss(config, model),
        ]
    return [*found, *_examples(config, model), *_metrics(config, model)]


def droppable(unused: list[Unused], given: Given, *, stored: bool) -> list[Unused]:
    """Return the unused keys that precede the model's name: those of the config, if an override names the model.

    Of a ``stored`` config, all keys but the overrides may be dropped: earlier versions have ignored them.
    """
    return [each for each in unused if (stored or given.model_replaced) and not given.overridden(each.key)]


def refuse(model: str, unused: list[Unused]) -> None:
    """Raise a ConfigError for keys that a fitted model does not use; ``requirements.require`` refuses those of others."""
    if unused and issubclass(ALL_MODELS[model], FittedModel):
        raise ConfigError(
            f"model {model} does not use {_listed(unused)}; remove {'it' if len(unused) == 1 else 'them'}, or add the "
            f"override{'' if len(unused) == 1 else 's'} {' '.join(each.override for each in unused)}"
        )


def note(model: str, dropped: list[str], given: Given) -> str:
    """Note on the keys of a config that the model of an override, or another replaced component, does not use."""
    if given.model_replaced:
        return f"model {model} does not use these keys of the config, which are dropped: {', '.join(dropped)}"
    return f"these keys of the config are dropped with the component that an override replaces: {', '.join(dropped)}"


def _listed(unused: list[Unused]) -> str:
    return ", ".join(map(str, unused))


def _of_gradient_models(config: Config, defaults: Config) -> Iterator[Unused]:
    """Keys of sampling, loss and training, which models without a training loop do not use."""
    for section in ("loss", "sampler"):
        name, usual = config[section]["name"], "bpr" if section == "loss" else defaults[section]["name"]
        if name != usual:
            yield Unused(f"{section}.name", name, f"{section}={usual}")
        else:
            yield from _differing(section, config[section], defaults[section])
    yield from _of_pairs(config)
    fitted = {"seed", *(["device"] if config["train"]["device"] in FITTED_DEVICES else [])}
    train = {key: value for key, value in config["train"].items() if key not in fitted}
    yield from _differing("train", train, defaults["train"])
    yield from _trim(config)


def _differing(section: str, values: Mapping[str, Any], defaults: Mapping[str, Any]) -> Iterator[Unused]:
    for key, value in values.items():
        if value != defaults[key]:
            yield Unused(f"{section}.{key}", value, f"{section}.{key}={json.dumps(defaults[key])}")


def _of_pairs(config: Config) -> Iterator[Unused]:
    """Sections that need the losses of pairs."""
    for section in OF_PAIRS:
        if config[section] is not None:
            yield Unused(f"{section}.name", config[section]["name"], f"{section}=null")


def _trim(config: Config) -> Iterator[Unused]:
    """The share of validation events that is excluded by their loss."""
    if config["evaluate"]["trim"] > 0:
        yield Unused("evaluate.trim", config["evaluate"]["trim"], "evaluate.trim=0")


def _terms(config: Config, given_by_model: set[str], given: Given) -> Iterator[Unused]:
    """Terms that need something that the model does not give; fitted models use no terms."""
    fitted = not given_by_model
    for number, entry in enumerate(config["terms"]):
        term = TERMS[entry["name"]]
        if fitted and given.l2 and entry["name"] == "l2":
            yield Unused("train.l2", entry["weight"], "train.l2=0")
        elif fitted or needs(term, term.forward) & MODEL_NEEDS - given_by_model:
            yield Unused(f"terms.{number - given.l2}", entry["name"], f"terms.{number - given.l2}=null")


def _loss(config: Config, model: type[Model]) -> Iterator[Unused]:
    """A loss that needs something that the model does not give, or the own loss of another model."""
    name = config["loss"]["name"]
    wanted = {"own_loss"} if name == OWN else needs(LOSSES[name]) & MODEL_NEEDS
    if wanted - gives(model):
        yield Unused("loss.name", name, "loss=bpr")


def _examples(config: Config, model: type[Model]) -> Iterator[Unused]:
    """Training at every position of a history, for models with one vector per history."""
    if issubclass(model, SequenceModel) and not model.every_place and config["sampler"].get("examples") == "positions":
        yield Unused("sampler.examples", "positions", "sampler.examples=prefixes")


def _metrics(config: Config, model: type[Model]) -> Iterator[Unused]:
    """Metrics of item vectors, for models that are known not to have them."""
    if may_have_vectors(model):
        return
    metrics = config["evaluate"]["metrics"]
    lacking = [metric for metric in metrics if asks(name_of(metric), "vectors")]
    if lacking:
        kept = [metric for metric in metrics if metric not in lacking]
        names = ", ".join(map(name_of, lacking))
        yield Unused("evaluate.metrics", names, f"evaluate.metrics={json.dumps(kept)}")
