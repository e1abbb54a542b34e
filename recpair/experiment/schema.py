"""Sections of a config, each with the functions and components that it configures.

Components are not imported: their signatures are read from source.
"""

from typing import Annotated

from pydantic import Field

from recpair.config import Section
from recpair.integrations import MODEL_SIGNATURES, OWN
from recpair.signatures import Reference, registry


def monitoring(
    *, monitor: str | None = "ndcg@10", trim: Annotated[float, Field(ge=0, lt=1)] = 0.0
) -> tuple[str | None, float]:
    """Validation metric that chooses the epoch, and the share of validation events that is excluded from it.

    With ``monitor=None``, the validation events are added to training and the model of the last epoch is kept. Use this
    for the final model, once hyperparameters and number of epochs are known.

    ``trim`` excludes the events with the highest loss at each epoch, which are likely to be noise if the validation data
    is noisy (0.2 in the denoising study of RecSys 2025).
    """
    return monitor, trim


def own_loss() -> None:
    """Loss function of the model itself (``OwnLossModel.own_loss``), including its regularisation."""


def _functions(*addresses: str) -> tuple[Reference, ...]:
    return tuple(Reference.of(f"recpair.{address}") for address in addresses)


LOSS_SIGNATURES = registry("recpair.losses:LOSSES")
TUNE, STUDY = "tune", "study"  # sections of a search and of a study, which are not part of the config of a run
SEARCH: dict[str, Section] = {
    TUNE: Section(functions=_functions("tuning.plan:settings"), default=None),
    STUDY: Section(functions=_functions("tuning.methods:settings"), default=None),
}

SCHEMA: dict[str, Section] = {
    "data": Section(functions=_functions("data.events:read_data")),
    "filter": Section(functions=_functions("data.filtering:filter_events")),
    "split": Section(choices=registry("recpair.data:SPLITS"), default={"name": "ratio"}),
    "noise": Section(functions=_functions("data.noise:add_noise"), default=None),
    "sampler": Section(choices=registry("recpair.sampling:SAMPLERS"), default={"name": "pairs"}),
    "model": Section(choices=MODEL_SIGNATURES, default={"name": "mf"}),
    "loss": Section(choices=LOSS_SIGNATURES | {OWN: own_loss}, default={"name": "bpr"}),
    "denoise": Section(choices=registry("recpair.denoising:DENOISERS"), default=None),
    "hard_negatives": Section(choices=registry("recpair.mining:MINERS"), default=None),
    "semantics": Section(
        functions=_functions("semantics:retrieve"),
        choices=registry("recpair.semantics:ENCODERS"),
        default=None,
        usual="wordllama",
    ),
    "describe": Section(functions=_functions("semantics:Describer"), default=None),
    "terms": Section(
        functions=_functions("terms.entries:weighting"),
        choices=registry("recpair.terms:TERMS"),
        default=[],
        many=True,
    ),
    "train": Section(
        functions=_functions(
            "training.loop:train",
            "training.objective:Objective",
            "training.launch:launch",
            "experiment.build:reference_of",
        )
    ),
    "evaluate": Section(functions=(*_functions("evaluation.evaluator:Evaluator"), monitoring)),
    "tracking": Section(functions=_functions("tracking.mlflow_tracker:MlflowTracker"), optional=True),
    "output_keep": Section(value=int, default=1),
    "output": Section(value=str, default="runs/latest"),
}
