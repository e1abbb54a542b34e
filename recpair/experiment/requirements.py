"""Requirements of components and capabilities of models, derived from their signatures; one message per requirement.

The requirements of a component are those of the names in its signature (``step.SUPPLIES``). The capabilities of a model
follow from its class.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, get_type_hints

from recpair.config import Config
from recpair.data.rolling import check_duration
from recpair.data.splitting import ROLLING, WHOLE
from recpair.denoising import DENOISERS
from recpair.errors import ConfigError
from recpair.evaluation.legend import LEGEND
from recpair.evaluation.names import known_metrics, name_of
from recpair.evaluation.names import needs as metric_needs
from recpair.experiment.overriding import Given, fitting_sampler
from recpair.integrations import OWN
from recpair.integrations.all_models import ALL_MODELS
from recpair.losses import LOSSES, kind_of
from recpair.mining import MINERS
from recpair.models import FittedModel, GradientModel, Model, OwnLossModel, Scorer, SequenceModel, Vectors
from recpair.registry import nearest
from recpair.sampling.negative_sampler import ALL
from recpair.step import SUPPLIES, supplied_names
from recpair.terms import TERMS
from recpair.terms.entries import labels

MODEL_NEEDS = {"scores", "vectors", "users", "history"}  # given by models; everything else by data and other sections
LOGGED = ("loss", "recommendation")  # in every epoch

MESSAGES = {
    "scores": "needs the scores of pairs, and model {model} is not trained by them; choose a model such as mf",
    "vectors": "needs vectors of queries and items, and the scores of model {model} are not inner products; choose a "
    "model such as mf, lightgcn or sasrec",
    "users": "needs a vector of each user, which model {model} does not have; choose a model such as mf or lightgcn",
    "history": "needs histories, which model {model} does not read; choose a model such as sasrec",
    "semantics": "needs semantic neighbours; add semantics: {{name: wordllama}}",
    "catalogue": "needs the scores of the whole catalogue; set sampler.negatives=all",
}


def gives(model: type[Model]) -> set[str]:
    """Return the capabilities of a model: scores, vectors, users, history, own_loss."""
    found = {"scores"} if issubclass(model, GradientModel) else set()
    if issubclass(model, GradientModel) and get_type_hints(model.score).get("return") is Vectors:
        found.add("vectors")
    if hasattr(model, "user_vectors"):
        found.add("users")
    if issubclass(model, SequenceModel):
        found.add("history")
    if issubclass(model, OwnLossModel):
        found.add("own_loss")
    return found


def needs(*components: Callable[..., Any]) -> set[str]:
    """Return the requirements of the names in the signatures of components."""
    names = {name for component in components for name in supplied_names(component)}
    for name in sorted(names - set(SUPPLIES)):
        raise ConfigError(
            f"a component asks for {name!r} before *, which is not supplied{nearest(name, SUPPLIES)}; if it is an option, "
            f"put it after *"
        )
    return {need for name in names if (need := SUPPLIES[name].needs) is not None}


def asked_by_model(section: Mapping[str, Any]) -> set[str]:
    """Return the supplied values in the signature of a model; vectors of texts only if its option ``text`` is not none."""
    names = set(supplied_names(ALL_MODELS[section["name"]]))
    return names - {"semantic_vectors"} if section.get("text") == "none" else names


def inferred(config: Config, given: Given) -> Config:
    """Fill in values that follow from the class of the model, unless they are given: its own loss, one vector a history."""
    model = ALL_MODELS[config["model"]["name"]]
    if "loss" not in given.raw and issubclass(model, OwnLossModel):
        config.sections["loss"] = {"name": OWN}
    if issubclass(model, SequenceModel) and not model.every_place and not given.names("sampler", "examples"):
        config["sampler"]["examples"] = "prefixes"
    return config


def named_components(config: Config) -> Iterator[tuple[str, str, tuple[Callable[..., Any], ...]]]:
    """Yield key, name and signatures of each component of a config that receives values of a step."""
    if (loss := config["loss"]["name"]) != OWN:
        yield "loss.name", loss, (LOSSES[loss],)
    if config["hard_negatives"] is not None:
        name = config["hard_negatives"]["name"]
        yield "hard_negatives.name", name, (MINERS[name], MINERS[name].choose)
    if config["denoise"] is not None:
        name = config["denoise"]["name"]
        yield "denoise.name", name, (DENOISERS[name],)
    for number, entry in enumerate(config["terms"]):
        term = TERMS[entry["name"]]
        yield f"terms.{number}.name", entry["name"], (term, term.forward)


def asked_by_components(config: Config) -> set[str]:
    """Return the names of the supplied values that the loss, the miner, the denoiser and the terms receive."""
    return {name for *_, parts in named_components(config) for part in parts for name in supplied_names(part)}


def declared_positives(config: Config) -> dict[str, int]:
    """Return the number of positives per query that the denoiser, the loss and the terms need, by config key."""
    wanted = {key: max(getattr(part, "n_positives", 1) for part in parts) for key, _, parts in named_components(config)}
    denoise = config["denoise"]
    return wanted | ({} if denoise is None else {"denoise.candidates": candidates(denoise, DENOISERS)})


def candidates(section: Mapping[str, Any], choices: Mapping[str, Callable[..., Any]]) -> int:
    """Return the number of candidates of a denoiser or a miner: an option, or an attribute of its class."""
    return int(section.get("candidates", getattr(choices[section["name"]], "candidates", 1)))


def require(config: Config) -> None:
    """Raise a ConfigError for the first invalid combination of components."""
    if config["split"]["name"] == WHOLE and config["evaluate"]["monitor"] is not None:
        raise ConfigError(
            f"split.name is {WHOLE}, which leaves no validation events, but evaluate.monitor is "
            f"{config['evaluate']['monitor']!r}; set evaluate.monitor=null"
        )
    if config["split"]["name"] == ROLLING:
        _require_folds(config["split"])
    name = config["model"]["name"]
    model = ALL_MODELS[name]
    if issubclass(model, GradientModel):
        _require_supplies(config, name, gives(model))
        _require_sampler(config, name, model)
        _require_reference(config)
    _require_texts(config)
    _require_labels(config)
    _require_metrics(config, model)
    if config["loss"]["name"] == OWN:
        _require_own_loss(config, name, model)
    _require_losses_of_pairs(config, name, model)
    if config["describe"] is not None and (config["semantics"] is None or config["semantics"]["name"] == "file"):
        raise ConfigError(
            "describe asks about texts that nothing encodes; add semantics: {name: wordllama}, or drop describe"
        )


def unused(config: Config) -> list[str]:
    """Return notes on config settings that the model does not use."""
    model, loss = ALL_MODELS[config["model"]["name"]], config["loss"]["name"]
    of_pairs = loss != OWN and kind_of(LOSSES[loss]) != ""
    weighs = of_pairs if issubclass(model, GradientModel) else model.weighs_events
    if weighs or "weight" not in (config["data"]["columns"] or {}):
        return []
    return [f"model {config['model']['name']} does not use the weights of events (data.columns.weight)"]


def _require_supplies(config: Config, model: str, given: set[str]) -> None:
    """Check that the model, the data or another section provides everything that components require."""
    given = given | ({"semantics"} if config["semantics"] is not None else set())
    given |= {"catalogue"} if config["sampler"]["negatives"] == ALL else set()
    given |= {"ratings", "categories", "item_features", "user_features"}  # checked when the data is read
    lacking = [
        f"{key} is {name}, which {MESSAGES[need].format(model=model)}, or drop it with the override {_drop(key)}"
        for key, name, signatures in named_components(config)
        for need in sorted(needs(*signatures) - given)[:1]
    ]
    if lacking:
        raise ConfigError("; ".join(lacking))


def _drop(key: str) -> str:
    """Override that drops a component."""
    return "loss=bpr" if key == "loss.name" else f"{key.removesuffix('.name')}=null"


def _require_sampler(config: Config, name: str, model: type[Model]) -> None:
    sampler, loss = config["sampler"], config["loss"]["name"]
    if sampler["name"] != (fitting := fitting_sampler(name)):
        raise ConfigError(
            f"sampler.name is {sampler['name']}, but model {name} needs {fitting}; set sampler.name={fitting}"
        )
    if issubclass(model, SequenceModel) and not model.every_place and sampler["examples"] == "positions":
        raise ConfigError(
            f"sampler.examples is positions, but model {name} has one vector for a whole history; set "
            f"sampler.examples=prefixes"
        )
    explicit, wanted = sampler.get("n_positives"), declared_positives(config)
    if explicit is not None and (more := {key: n for key, n in wanted.items() if n > explicit}):
        key, n = next(iter(more.items()))
        raise ConfigError(f"sampler.n_positives is {explicit}, but {key} needs {n}; raise it to {n}, or leave it out")
    if sampler["negatives"] == ALL and (loss == OWN or "catalogue" not in needs(LOSSES[loss])):
        raise ConfigError(f"sampler.negatives is {ALL!r}, which loss {loss} cannot use; set sampler.negatives=uniform")
    if sampler["negatives"] == ALL and config["hard_negatives"] is not None:
        raise ConfigError(
            f"hard_negatives.name is {config['hard_negatives']['name']}, but sampler.negatives is 'all'; drop one of them"
        )
    if sampler["correct"] and (loss == OWN or not getattr(LOSSES[loss], "estimates_catalogue", False)):
        fit = [name for name, other in LOSSES.items() if getattr(other, "estimates_catalogue", False)]
        raise ConfigError(
            f"sampler.correct makes a sum over negatives estimate that over all items, which loss {loss} does not have; "
            f"set loss.name={fit[0]}, or sampler.correct=false"
        )


def _require_folds(split: Mapping[str, Any]) -> None:
    """Check the durations of rolling folds, and the number of the fold."""
    for key in ("horizon", "window"):
        if split[key] is not None:
            check_duration(split[key], f"split.{key}")
    if split["fold"] is not None and split["fold"] > split["folds"]:
        raise ConfigError(
            f"split.fold is {split['fold']}, but split.folds is {split['folds']}; expected a number from 1 to "
            f"{split['folds']}, or null for all folds"
        )


def _require_reference(config: Config) -> None:
    """Check that the run of ``train.reference`` is used."""
    if config["train"]["reference"] is not None and "reference" not in asked_by_components(config):
        raise ConfigError(
            f"train.reference is {config['train']['reference']}, but neither the loss nor a term uses a reference; drop it"
        )


def _require_texts(config: Config) -> None:
    """Check that a model that is constructed from vectors of item texts has them."""
    section = config["model"]
    if config["semantics"] is None and "semantic_vectors" in asked_by_model(section):
        key = "text" if "text" in section else "name"
        raise ConfigError(
            f"model.{key} is {section[key]}, which needs vectors of item texts; add semantics: {{name: wordllama}} or "
            f"{{name: tfidf}}"
        )


def _require_labels(config: Config) -> None:
    """Check that each term is logged under a unique label."""
    seen = dict.fromkeys(LOGGED, "the log of every epoch")
    for number, (entry, label) in enumerate(zip(config["terms"], labels(config["terms"]), strict=True)):
        where = f"terms.{number}"
        if label in seen:
            raise ConfigError(
                f"{where} would be logged as {label}, like {seen[label]}; give it another label, as in {where}.label="
                f"{entry['name']}_2"
            )
        seen[label] = where


def needs_texts(config: Config) -> bool:
    """Return True if a metric needs the texts of the items."""
    return any(asks(name, "texts") for key in ("metrics", "monitor") for name in _measured(config, key))


def _measured(config: Config, key: str) -> list[str]:
    """Names of the metrics in ``evaluate.metrics`` or ``evaluate.monitor``."""
    named = config["evaluate"][key]
    if named is None:
        return []
    return [named.partition("@")[0]] if isinstance(named, str) else [*map(name_of, named)]


def asks(metric: str, what: str) -> bool:
    """Return True if a metric receives a value that is computed from ``what`` (``evaluation.legend``)."""
    return any(LEGEND[each].requires == what for each in metric_needs(known_metrics()[metric]))


def may_have_vectors(model: type[Model]) -> bool:
    """Return False for models that are known to have no item vectors."""
    return model.score.__annotations__.get("return") in (Vectors, Scorer)


def _require_metrics(config: Config, model: type[Model]) -> None:
    """Reject metrics of item texts without texts, and of item vectors if the model is known not to have them."""
    if config["semantics"] is None and needs_texts(config):
        raise ConfigError(
            "evaluate.metrics: ils_text needs the texts of items; add semantics: {name: wordllama}, or drop it"
        )
    if may_have_vectors(model):
        return
    for key in ("metrics", "monitor"):
        for name in _measured(config, key):
            if asks(name, "vectors"):
                raise ConfigError(
                    f"evaluate.{key}: {name} needs item vectors, which model {config['model']['name']} does not have; drop "
                    f"it, or choose a model such as mf or sasrec"
                )


def _require_own_loss(config: Config, name: str, model: type[Model]) -> None:
    if not issubclass(model, OwnLossModel):
        raise ConfigError(f"loss.name is own, but model {name} does not define a loss; set loss.name=bpr")
    for section in ("denoise", "hard_negatives"):
        if config[section] is not None:
            raise ConfigError(
                f"{section}.name is {config[section]['name']}, which needs losses of pairs, but loss.name is own; "
                f"set loss.name=bpr, or drop {section}"
            )


def _require_losses_of_pairs(config: Config, name: str, model: type[Model]) -> None:
    """Check that denoisers and ``evaluate.trim``, which need the loss of each positive, have such a loss."""
    if issubclass(model, FittedModel):
        return
    loss = config["loss"]["name"]
    kind = kind_of(LOSSES[loss]) if loss != OWN else None
    if config["denoise"] is not None and kind == "":
        raise ConfigError(
            f"denoise.name is {config['denoise']['name']}, but loss {loss} is one number for a batch; choose a loss such as "
            f"bpr, or drop denoise with the override denoise=null"
        )
    if kind == "Q" and issubclass(model, SequenceModel):
        raise ConfigError(f"loss.name is {loss}, a setwise loss, which sequence models do not support yet")
    if config["evaluate"]["trim"] > 0 and kind in (None, ""):
        raise ConfigError(
            f"evaluate.trim needs losses of validation events, but model {name} is not trained by a loss of pairs; "
            f"set evaluate.trim=0"
        )
