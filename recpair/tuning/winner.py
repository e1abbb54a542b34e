"""Training and test of the best trial of a search, with several seeds."""

import logging
from collections.abc import Mapping
from typing import Any

from recpair import files, raw_config
from recpair.config import Config
from recpair.experiment.compare import summarise_seeds
from recpair.experiment.fit import fit_into
from recpair.experiment.loading import differences, load_config, load_stored
from recpair.experiment.prepare import Prepared
from recpair.integrations.all_models import ALL_MODELS
from recpair.models import FittedModel
from recpair.run.folder import CONFIG, SEEDS, read_config
from recpair.run.manifest import read_json
from recpair.run.output import Output, State
from recpair.tuning.trial import silent

logger = logging.getLogger("recpair")


def seeds_of(config: Config, n: int) -> list[int]:
    """Return the seeds of a winner: n from ``train.seed`` on; one for a model that is fitted without random numbers."""
    fitted = issubclass(ALL_MODELS[config["model"]["name"]], FittedModel)
    first = int(config["train"]["seed"])
    return [first] if fitted else list(range(first, first + n))


def evaluate_winner(
    output: Output, config: Config, seeds: list[int], prepared: Prepared, tags: Mapping[str, str], label: str = ""
) -> dict[str, Any]:
    """Train a config once per seed and test it; return the content of ``seeds.json``.

    The result of an earlier call is returned if the config and the seeds are the same.
    """
    members = {f"seed-{seed}": _member(config, seed, output) for seed in seeds}
    if (output.work / CONFIG).is_file():
        stored = load_stored(read_config(output.work / CONFIG))
        same = not [key for key in differences(stored, config) if not key.startswith(("output", "tracking"))]
        if same and (output.work / SEEDS).is_file():
            summary = read_json(output.work / SEEDS)
            if summary["runs"] == list(members):
                return summary
        if not same:
            files.remove_folder(output.work)
    output.start(config.to_yaml(), None, State.UNFINISHED)
    for name, member in members.items():
        with silent():
            run = fit_into(output.below(name), member, prepared=prepared.for_config(member), resume=True, tags=tags)
        metric = config["evaluate"]["monitor"]
        if metric in run.metrics["test"]:
            value = run.metrics["test"][metric]
            logger.info(
                "%swinner, %s: test %s %.4f", f"{label}: " if label else "", name.replace("-", " "), metric, value
            )
    summary = summarise_seeds(output.work, list(members))
    output.complete()
    return summary


def _member(config: Config, seed: int, output: Output) -> Config:
    placed = raw_config.assignment("output", str(output.final / f"seed-{seed}"))
    return load_config(config, [f"train.seed={seed}", placed])
