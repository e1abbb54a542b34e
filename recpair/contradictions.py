"""Combinations of a config's values that no key alone shows to be wrong; they depend on the classes of the components."""

from recpair.bridges import OWN
from recpair.bridges.all_models import ALL_MODELS
from recpair.config import Config
from recpair.contrast import TERMS
from recpair.contrast.entries import refuse_impossible
from recpair.data.splitting import WHOLE
from recpair.errors import ConfigError
from recpair.evaluation.legend import LEGEND
from recpair.evaluation.names import known_metrics, name_of, needs
from recpair.losses import ESTIMATING, OVER_CATALOGUE
from recpair.models import FittedModel, GradientModel, Model, OwnLossModel, Scorer, SequenceModel, Vectors
from recpair.sampling.against import ALL


def brings_loss(model: str) -> bool:
    """Whether a model is trained by its own loss unless the config names another."""
    return issubclass(ALL_MODELS[model], OwnLossModel)


def fitting_sampler(model: str) -> str:
    """The name of the sampler whose batches a model can read."""
    return "sequences" if issubclass(ALL_MODELS[model], SequenceModel) else "pairs"


def refuse_contradictions(config: Config) -> None:
    """Raise a ConfigError for the first combination that cannot work."""
    if config["split"]["name"] == WHOLE and config["evaluate"]["monitor"] is not None:
        raise ConfigError(
            f"split.name is {WHOLE}, which leaves no validation events, but evaluate.monitor is "
            f"{config['evaluate']['monitor']!r}; set evaluate.monitor=null"
        )
    over_catalogue = config["loss"]["name"] in OVER_CATALOGUE
    if over_catalogue != (config["sampler"]["negatives"] == ALL):
        wanted = "all" if over_catalogue else "uniform"
        raise ConfigError(
            f"sampler.negatives is {config['sampler']['negatives']!r}, which loss {config['loss']['name']} cannot use; "
            f"set sampler.negatives={wanted}"
        )
    if config["sampler"]["correct"] and config["loss"]["name"] != ESTIMATING:
        raise ConfigError(
            f"sampler.correct makes a sum over negatives estimate that over all items, which loss "
            f"{config['loss']['name']} does not have; set loss.name={ESTIMATING}, or sampler.correct=false"
        )
    if over_catalogue and config["hard_negatives"] is not None:
        name = config["hard_negatives"]["name"]
        raise ConfigError(f"hard_negatives.name is {name}, but sampler.negatives is 'all'; drop one of them")
    name, sampler = config["model"]["name"], config["sampler"]["name"]
    model = ALL_MODELS[name]
    if issubclass(model, GradientModel) and sampler != (fitting := fitting_sampler(name)):
        raise ConfigError(f"sampler.name is {sampler}, but model {name} needs {fitting}; set sampler.name={fitting}")
    if issubclass(model, SequenceModel) and not model.every_place and config["sampler"]["examples"] == "positions":
        raise ConfigError(
            f"sampler.examples is positions, but model {name} has one vector for a whole history; set "
            f"sampler.examples=prefixes"
        )
    if config["describe"] is not None and (config["semantics"] is None or config["semantics"]["name"] == "file"):
        raise ConfigError(
            "describe asks about texts that nothing encodes; add semantics: {name: wordllama}, or drop describe"
        )
    sequential, semantic = issubclass(model, SequenceModel), config["semantics"] is not None
    refuse_impossible(config["contrast"], TERMS, name, sequential, semantic)
    _refuse_metrics_of_vectors(config, model)
    if config["loss"]["name"] == OWN:
        _refuse_with_own_loss(config, model)
    if config["denoise"] is not None and issubclass(model, FittedModel):
        raise ConfigError(
            f"denoise.name is {config['denoise']['name']}, but model {config['model']['name']} is not trained by a "
            f"loss; choose a model such as mf, or drop denoise"
        )
    if config["evaluate"]["trim"] > 0 and (config["loss"]["name"] == OWN or issubclass(model, FittedModel)):
        raise ConfigError(
            f"evaluate.trim looks at losses of validation events, but model {name} is not trained by a loss of pairs; "
            f"set evaluate.trim=0"
        )


def unused(config: Config) -> list[str]:
    """Notes on what the config asks for and the model does not use."""
    model = ALL_MODELS[config["model"]["name"]]
    weighs = config["loss"]["name"] != OWN if issubclass(model, GradientModel) else model.weighs_events
    if weighs or "weight" not in (config["data"]["columns"] or {}):
        return []
    return [f"model {config['model']['name']} does not use the weights of events (data.columns.weight)"]


def _refuse_metrics_of_vectors(config: Config, model: type[Model]) -> None:
    """Raise for a metric that needs item vectors and a model whose scores are known not to come from vectors."""
    if model.score.__annotations__.get("return") in (Vectors, Scorer):
        return
    for key in ("metrics", "monitor"):
        named = config["evaluate"][key]
        named = [] if named is None else [named.partition("@")[0]] if isinstance(named, str) else map(name_of, named)
        for name in named:
            if any(LEGEND[each].requires == "vectors" for each in needs(known_metrics()[name])):
                raise ConfigError(
                    f"evaluate.{key}: {name} needs item vectors, which model {config['model']['name']} does not have; drop "
                    f"it, or choose a model such as mf or sasrec"
                )


def _refuse_with_own_loss(config: Config, model: type[Model]) -> None:
    if not issubclass(model, OwnLossModel):
        raise ConfigError(f"loss.name is own, but model {config['model']['name']} brings no loss; set loss.name=bpr")
    for section in ("denoise", "hard_negatives"):
        if config[section] is not None:
            raise ConfigError(
                f"{section}.name is {config[section]['name']}, which looks at losses of pairs, but loss.name is own; "
                f"set loss.name=bpr, or drop {section}"
            )
