"""What a config may say: its sections, and the combinations that no key alone shows to be wrong."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from recpair import config as configs
from recpair.bridges import ALL_MODELS
from recpair.config import Config, Section
from recpair.contrast import TERMS
from recpair.contrast.entries import labels, refuse_impossible, weighting
from recpair.data import SPLITS
from recpair.data.events import read_data
from recpair.data.filtering import filter_events
from recpair.data.noise import add_noise
from recpair.data.splitting import WHOLE
from recpair.denoising import DENOISERS
from recpair.errors import ConfigError
from recpair.evaluation.evaluator import Evaluator
from recpair.evaluation.metrics import check_names, parse_metric
from recpair.hardening import HARDENERS
from recpair.losses import ESTIMATING, LOSSES, OVER_CATALOGUE
from recpair.models import FittedModel, GradientModel, Model, OwnLossModel, SequenceModel
from recpair.registry import options
from recpair.sampling import SAMPLERS
from recpair.sampling.against import ALL
from recpair.semantics import ENCODERS, Describer, retrieve
from recpair.tracking.mlflow_tracker import MlflowTracker
from recpair.training.launch import launch
from recpair.training.loop import train
from recpair.training.objective import Objective

OWN = "own"  # as a loss: the model's own


def monitoring(
    *, monitor: str | None = "ndcg@10", trim: Annotated[float, Field(ge=0, lt=1)] = 0.0
) -> tuple[str | None, float]:
    """The validation metric that chooses the epoch, and the share of validation events that is left out of it.

    Without ``monitor`` nothing is chosen: the validation events train, and the last epoch's model is kept. So a model is
    made once its settings and number of epochs are known.

    ``trim`` leaves out those with the highest loss at that epoch: where the validation data is noisy itself, they are
    likely to be noise (0.2 is the remedy of the denoising study of RecSys 2025).
    """
    return monitor, trim


def own_loss() -> None:
    """In place of a loss: the model's own (``OwnLossModel.own_loss``), its regularisation included."""


SCHEMA: dict[str, Section] = {
    "data": Section(functions=(read_data,)),
    "filter": Section(functions=(filter_events,)),
    "split": Section(choices=SPLITS, default={"name": "ratio"}),
    "noise": Section(functions=(add_noise,), default=None),
    "sampler": Section(choices=SAMPLERS, default={"name": "pairs"}),
    "model": Section(choices=ALL_MODELS, default={"name": "mf"}),
    "loss": Section(choices=LOSSES | {OWN: own_loss}, default={"name": "bpr"}),
    "denoise": Section(choices=DENOISERS, default=None),
    "hard_negatives": Section(choices=HARDENERS, default=None),
    "semantics": Section(functions=(retrieve,), choices=ENCODERS, default=None, usual="wordllama"),
    "describe": Section(functions=(Describer,), default=None),
    "contrast": Section(functions=(weighting,), choices=TERMS, default=[], many=True),
    "train": Section(functions=(train, Objective, launch)),
    "evaluate": Section(functions=(Evaluator, monitoring)),
    "tracking": Section(functions=(MlflowTracker,), optional=True),
    "output": Section(value=str, default="runs/latest"),
}


def load_config(config: str | Path | Mapping[str, Any] | Config, overrides: Sequence[str] = ()) -> Config:
    """A checked config from a file, a dict, or a Config; nothing else is read.

    Raises:
        ConfigError: a key is unknown or wrong, or sections contradict each other.
    """
    if isinstance(config, Config):
        config = config.sections
    if not isinstance(config, str | Path | Mapping):
        raise ConfigError(f"the config is of type {type(config).__name__}; give a path, a dict of sections or a Config")
    raw = configs.read(config) if isinstance(config, str | Path) else dict(config)
    checked = configs.parse(_with_loss(configs.override(raw, overrides)), SCHEMA)
    checked.sections["output"] = str(Path(checked["output"]).expanduser())
    _refuse_contradictions(checked)
    return checked


def title(config: Config, data: str) -> str:
    """What was run on what, in a line."""
    gradient = issubclass(ALL_MODELS[config["model"]["name"]], GradientModel)
    parts = [config["model"]["name"], config["loss"]["name"] if gradient else ""]
    parts += [config["denoise"]["name"] if config["denoise"] else "", *labels(config["contrast"])]
    return f"{' · '.join(part for part in parts if part)} on {data}"


def fitting_sampler(model: str) -> str:
    """The name of the sampler whose batches a model can read."""
    return "sequences" if issubclass(ALL_MODELS[model], SequenceModel) else "pairs"


def differences(stored: Config, config: Config) -> list[str]:
    """Dotted keys whose values differ; both are checked configs, so that a key younger than the stored one has its default."""
    before, now = stored.flat(), config.flat()
    return [key for key in {**before, **now} if before.get(key, ...) != now.get(key, ...)]


def _with_loss(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """A model that brings its own loss is trained by it unless the config names another."""
    model = raw.get("model")
    name = model.get("name") if isinstance(model, dict) else model
    brings = isinstance(name, str) and name in ALL_MODELS and issubclass(ALL_MODELS[name], OwnLossModel)
    return {"loss": {"name": OWN}, **raw} if brings else raw


def _refuse_monitor(monitor: str | None, trim: float) -> None:
    """A metric without a cut-off, or a trim of what is not held out."""
    if monitor is None:
        if trim > 0:
            raise ConfigError(f"evaluate.trim is {trim:g}, but evaluate.monitor is null: nothing validates; drop one")
        return
    parse_metric(monitor if "@" in monitor else f"{monitor}@1")
    if "@" not in monitor:
        raise ConfigError(f"evaluate.monitor is {monitor!r}; add a cut-off, as in ndcg@10")


def _refuse_contradictions(config: Config) -> None:
    """Combinations that each key alone does not show to be wrong."""
    check_names(config["evaluate"]["metrics"])
    _refuse_monitor(**{name: config["evaluate"][name] for name in options(monitoring)})
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


def _refuse_with_own_loss(config: Config, model: type[Model]) -> None:
    if not issubclass(model, OwnLossModel):
        raise ConfigError(f"loss.name is own, but model {config['model']['name']} brings no loss; set loss.name=bpr")
    for section in ("denoise", "hard_negatives"):
        if config[section] is not None:
            raise ConfigError(
                f"{section}.name is {config[section]['name']}, which looks at losses of pairs, but loss.name is own; "
                f"set loss.name=bpr, or drop {section}"
            )
