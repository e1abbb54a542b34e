"""Training and test of the best trial of a search, with several seeds."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from recpair import files, raw_config
from recpair.config import Config
from recpair.experiment.fit import fit_into
from recpair.experiment.loading import differences, load_config, load_stored
from recpair.experiment.seeds import several_seeds
from recpair.integrations.all_models import ALL_MODELS
from recpair.models import FittedModel
from recpair.run.folder import CONFIG, RunFolder, read_config
from recpair.run.output import Output, State, state_of
from recpair.run.run import Run
from recpair.tuning.parts import Part, prepared_for
from recpair.tuning.trial import silent

logger = logging.getLogger("recpair")


def seeds_of(config: Config, n: int) -> list[int]:
    """Return the seeds of a winner: n from ``train.seed`` on; one for a model that is fitted without random numbers."""
    fitted = issubclass(ALL_MODELS[config["model"]["name"]], FittedModel)
    first = int(config["train"]["seed"])
    return [first] if fitted else list(range(first, first + n))


def evaluate_winner(
    output: Output, config: Config, seeds: Sequence[int], parts: Sequence[Part], tags: Mapping[str, str], label: str
) -> dict[str, Any]:
    """Train a config once per seed, and per fold, and test it; return the summary of the runs.

    Runs of an earlier call are kept if the config is the same.

    Args:
        label: name of the search in messages.
    """
    config = load_config(config, [raw_config.assignment("output", str(output.final))])
    if (output.work / CONFIG).is_file():
        stored = load_stored(read_config(output.work / CONFIG))
        if [key for key in differences(stored, config) if not key.startswith(("output", "tracking"))]:
            files.remove_folder(output.work)
    metric = str(config["evaluate"]["monitor"])

    def fit_one(output: Output, config: Config, **options: Any) -> Run:
        with silent():
            run = fit_into(output, config, prepared=prepared_for(parts, config), **options)
        if metric in run.metrics["test"]:
            name = output.final.name.replace("-", " ")
            value = run.metrics["test"][metric]
            logger.info("%swinner, %s: test %s %.4f", f"{label}: " if label else "", name, metric, value)
        return run

    first = parts[0].prepared
    several = several_seeds(fit_one, config, seeds, first.data, first.items, tags)
    if State.COMPLETE is state_of(output.work) and [*several.overrides] != RunFolder.open(output.work).members():
        files.remove_folder(output.work)  # fewer or more seeds
    return several.into(output, None, None, resume=state_of(output.work) is not State.EMPTY, log=None)
